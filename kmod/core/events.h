/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Exceptions, interrupts and NMIs on their way to the guest. SDM vol. 3, 27.6 (injection) and 26.8.3 (windows). */
#ifndef LKX_EVENTS_H
#define LKX_EVENTS_H

#include "vcpu.h"

/* Before VM entry: the one event to deliver goes into the VMCS, windows are asked for where something has to wait. */
void lkx_events_inject(struct lkx_vcpu *v);
/* Entry did not happen after lkx_events_inject. */
void lkx_events_cancel(struct lkx_vcpu *v);
/* After a VM exit: what was delivered is gone; what the exit interrupted is to be delivered again. */
void lkx_events_after_exit(struct lkx_vcpu *v);

/* KVM_INTERRUPT and KVM_NMI. */
void lkx_queue_interrupt(struct lkx_vcpu *v, u8 vector);
void lkx_queue_nmi(struct lkx_vcpu *v);

/* kvm_run.ready_for_interrupt_injection: the guest would take an interrupt at once and nothing is on its way. */
bool lkx_ready_for_interrupt(struct lkx_vcpu *v);

int lkx_exit_interrupt_window(struct lkx_vcpu *v);
int lkx_exit_nmi_window(struct lkx_vcpu *v);

#endif
