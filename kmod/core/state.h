/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A vCPU's state as KVM's ioctls carry it. The VMCS is current. */
#ifndef LKX_STATE_H
#define LKX_STATE_H

#include "vcpu.h"

void lkx_get_regs(struct lkx_vcpu *v, struct kvm_regs *r);
void lkx_set_regs(struct lkx_vcpu *v, const struct kvm_regs *r);
void lkx_get_sregs(struct lkx_vcpu *v, struct kvm_sregs *s);
/* 0, or -EINVAL with nothing changed. */
int lkx_set_sregs(struct lkx_vcpu *v, const struct kvm_sregs *s);
/* The same with the PDPTEs of PAE paging and without a queued interrupt. */
void lkx_get_sregs2(struct lkx_vcpu *v, struct kvm_sregs2 *s);
int lkx_set_sregs2(struct lkx_vcpu *v, const struct kvm_sregs2 *s);
void lkx_translate(struct lkx_vcpu *v, struct kvm_translation *t);
/* lapic_run.c: 0, or -EINVAL where there is no such state, or nothing that could end it. */
int lkx_set_mp_state(struct lkx_vcpu *v, const struct kvm_mp_state *s);
void lkx_get_mp_state(struct lkx_vcpu *v, struct kvm_mp_state *s);

/* --- state_events.c --- */

void lkx_get_vcpu_events(struct lkx_vcpu *v, struct kvm_vcpu_events *s);
/* 0, or -EINVAL with nothing changed. */
int lkx_set_vcpu_events(struct lkx_vcpu *v, const struct kvm_vcpu_events *s);

/* --- state_extended.c --- */

void lkx_get_debugregs(struct lkx_vcpu *v, struct kvm_debugregs *s);
int lkx_set_debugregs(struct lkx_vcpu *v, const struct kvm_debugregs *s);
void lkx_get_xcrs(struct lkx_vcpu *v, struct kvm_xcrs *s);
int lkx_set_xcrs(struct lkx_vcpu *v, const struct kvm_xcrs *s);
/* May KVM_SET_XSAVE give this to a vCPU? 0 or -EINVAL: what XRSTOR would refuse, or features that this module does not give. */
int lkx_xsave_check(struct lkx_hw *hw, const struct kvm_xsave *s);

/* What every return from KVM_RUN tells in the run page besides the exit. */
void lkx_fill_run_page(struct lkx_vcpu *v);

#endif
