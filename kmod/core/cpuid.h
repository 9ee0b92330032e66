/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What CPUID tells a guest. SDM vol. 2, "CPUID". */
#ifndef LKX_CPUID_H
#define LKX_CPUID_H

#include "vcpu.h"

enum lkx_cpuid_register { LEAF_EAX, LEAF_EBX, LEAF_ECX, LEAF_EDX };

/*
 * KVM_GET_SUPPORTED_CPUID: everything this module can give a guest on this processor, `max` entries at most.
 * The number written, or -E2BIG.
 */
int lkx_cpuid_supported(struct lkx_hw *hw, const struct lkx_vmx_caps *caps, struct kvm_cpuid_entry2 *entry, u32 max);

/* KVM_SET_CPUID2: takes over `table` (plat_alloc'ed). 0, or -EINVAL: then `table` is still the caller's. */
int lkx_cpuid_set(struct lkx_vcpu *v, struct kvm_cpuid_entry2 *table, u32 count);

/* The answer to CPUID in the guest's present state. */
void lkx_cpuid_answer(struct lkx_vcpu *v, u32 leaf, u32 index, u32 out[4]);

bool lkx_cpuid_has(struct lkx_vcpu *v, u32 leaf, enum lkx_cpuid_register reg, u8 bit);
unsigned int lkx_cpuid_physical_bits(struct lkx_vcpu *v);
/* XCR0 bits that leaf 0xd offers the guest. */
u64 lkx_cpuid_xcr0(struct lkx_vcpu *v);

#endif
