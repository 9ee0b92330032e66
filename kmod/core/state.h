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
void lkx_translate(struct lkx_vcpu *v, struct kvm_translation *t);
int lkx_set_mp_state(struct lkx_vcpu *v, const struct kvm_mp_state *s);
/* What every return from KVM_RUN tells in the run page besides the exit. */
void lkx_fill_run_page(struct lkx_vcpu *v);

#endif
