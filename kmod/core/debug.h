/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * KVM_SET_GUEST_DEBUG: a debugger in user space steps the guest and puts breakpoints into it. While it has the hardware's, DR7 in the VMCS and the
 * registers loaded are its own, and those the guest sees wait in the vCPU.
 */
#ifndef LKX_DEBUG_H
#define LKX_DEBUG_H

#include "vcpu.h"

/* What KVM_CHECK_EXTENSION answers for KVM_CAP_SET_GUEST_DEBUG2. */
#define LKX_GUEST_DEBUG                                                                                    \
	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP | \
	 KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP | KVM_GUESTDBG_BLOCKIRQ)

/* 0, -EINVAL, or -EBUSY where the exception to inject finds another on its way. */
int lkx_set_guest_debug(struct lkx_vcpu *v, const struct kvm_guest_debug *s);

/* DR7 as the guest sees it. */
static inline u64 lkx_dr7(struct lkx_vcpu *v)
{
	return v->guest_debug & KVM_GUESTDBG_USE_HW_BP ? v->guest_dr7 : vmcs_readn(v->hw, GUEST_DR7);
}

static inline void lkx_set_dr7(struct lkx_vcpu *v, u64 value)
{
	if (v->guest_debug & KVM_GUESTDBG_USE_HW_BP)
		v->guest_dr7 = value;
	else
		vmcs_writen(v->hw, GUEST_DR7, value);
}

/* Around a KVM_RUN of a vCPU that is debugged: TF is set for it, and the guest's own comes back. */
void lkx_debug_begin(struct lkx_vcpu *v);
void lkx_debug_end(struct lkx_vcpu *v);
/* Fills the run page with KVM_EXIT_DEBUG: 0. `dr6`: what happened, as DR6's bits. */
int lkx_debug_exit(struct lkx_vcpu *v, u8 vector, u64 dr6);
/* The debugger's #DB or #BP, by the VM exit under way? Then as lkx_debug_exit; 1 where it is the guest's. */
int lkx_debug_exception(struct lkx_vcpu *v, u8 vector);

#endif
