/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which MSRs a guest may read and write, as the VMM says (KVM_X86_SET_MSR_FILTER). */
#ifndef LKX_MSR_FILTER_H
#define LKX_MSR_FILTER_H

#include "vm.h"

/* One state of a VM's filter, never changed after it is published: as struct lkx_memslots. */
struct lkx_msr_filter {
	struct plat_rcu_head rcu;
	bool default_allow;       /* what no range has */
	u32 count;
	struct lkx_msr_range {
		u32 flags;        /* KVM_MSR_FILTER_READ, _WRITE: the accesses it is about */
		u32 base, nmsrs;
		u32 offset;       /* of its bitmap in `bits` */
	} range[KVM_MSR_FILTER_MAX_RANGES];
	u8 bits[];                /* set: allowed */
};

/*
 * A filter of what the VMM asks for, bitmaps copied in. *filter is NULL where it asks for none: no range has an MSR. 0, -EINVAL (unknown
 * flags, a range for no access or of more than KVM_MSR_FILTER_MAX_BITMAP_SIZE bytes, everything denied by no range), -EFAULT, -ENOMEM.
 */
int lkx_msr_filter_make(struct lkx_hw *hw, const struct kvm_msr_filter *args, struct lkx_msr_filter **filter);

/*
 * Takes over `filter` (may be NULL) as vm's. When it returns no guest runs under the old one. Called with vm's slots lock held. 0, or -ENOMEM:
 * the old one stays.
 */
int lkx_msr_filter_replace(struct lkx_vm *vm, struct lkx_msr_filter *filter);

/* May a guest? `access` is KVM_MSR_FILTER_READ or _WRITE. */
bool lkx_msr_filter_allows(const struct lkx_msr_filter *filter, u32 index, u32 access);

/* No vCPU is left. */
void lkx_msr_filter_destroy(struct lkx_vm *vm);

#endif
