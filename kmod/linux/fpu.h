/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The guest's extended state, in the kernel's own guest-FPU container. The vCPU's lock is held. */
#ifndef LKX_LINUX_FPU_H
#define LKX_LINUX_FPU_H

#include "likex.h"

/* 0 or -ENOMEM. */
int lkx_fpu_init(struct linux_vcpu *lv);
void lkx_fpu_destroy(struct linux_vcpu *lv);
void lkx_fpu_switch_init(void);
/* fpu_switch.c: the thread's registers become the guest's, and back. */
void lkx_fpu_enter(struct linux_vcpu *lv);
void lkx_fpu_leave(struct linux_vcpu *lv);
/* KVM_GET_FPU and KVM_SET_FPU, outside of KVM_RUN. */
void lkx_fpu_get(struct linux_vcpu *lv, struct kvm_fpu *f);
void lkx_fpu_set(struct linux_vcpu *lv, const struct kvm_fpu *f);
/* KVM_GET_XSAVE and KVM_SET_XSAVE, likewise; the struct that is filled begins as zeroes. 0 or -EINVAL. */
void lkx_fpu_get_xsave(struct linux_vcpu *lv, struct kvm_xsave *s);
int lkx_fpu_set_xsave(struct linux_vcpu *lv, const struct kvm_xsave *s);

#endif
