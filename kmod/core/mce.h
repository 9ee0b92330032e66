/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Machine-check banks, which a VMM fills (KVM_X86_SET_MCE) with what it wants its guest to know. SDM vol. 3, 16.3. */
#ifndef LKX_MCE_H
#define LKX_MCE_H

#include "vcpu.h"

#define LKX_MCE_BANKS 32
#define MCG_CTL_P BIT_ULL(8)
#define MCG_SER_P BIT_ULL(24)
/* KVM_X86_GET_MCE_CAP_SUPPORTED: what IA32_MCG_CAP may have beside the number of banks. */
#define LKX_MCG_CAP (MCG_CTL_P | MCG_SER_P)

/* KVM_X86_SETUP_MCE: IA32_MCG_CAP becomes `cap`, and every error is enabled. 0, -EINVAL, -ENOMEM. */
int lkx_mce_setup(struct lkx_vcpu *v, u64 cap);
/* KVM_X86_SET_MCE: 0 or -EINVAL. An exception for an error that is not enabled goes unseen. */
int lkx_mce_set(struct lkx_vcpu *v, const struct kvm_x86_mce *mce);

/* IA32_MCi_CTL, STATUS, ADDR, MISC of the banks there are; NULL: it is none of them. */
u64 *lkx_mce_bank(struct lkx_vcpu *v, u32 index);
/* True where it is none, or does not take the value. */
bool lkx_mce_bank_set(struct lkx_vcpu *v, u32 index, u64 value, bool by_guest);

#endif
