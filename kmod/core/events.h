/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Exceptions, interrupts and NMIs on their way to the guest. SDM vol. 3, 27.6 (injection) and 26.8.3 (windows). */
#ifndef LKX_EVENTS_H
#define LKX_EVENTS_H

#include "vcpu.h"

#define LKX_WINDOWS (CTRL(PROC, INTERRUPT_WINDOW_EXITING) | CTRL(PROC, NMI_WINDOW_EXITING))

/*
 * Before VM entry: requests are seen to, the one event to deliver goes into the VMCS, windows are asked for where something has to wait.
 * As an exit handler's result; not 1: there is no entry.
 */
int lkx_events_inject_some(struct lkx_vcpu *v, bool window_asked);
/* Nothing is pending or injected, and the VMCS holds no event. */
static inline bool lkx_events_quiet(const struct lkx_events *e)
{
	u64 all;

	memcpy(&all, e, sizeof(all));
	return !all;
}

static inline int lkx_events_inject(struct lkx_vcpu *v)
{
	bool window_asked = plat_read_once(v->run->request_interrupt_window);

	/* Nearly every lap has nothing to deliver, nobody who waits, and no window to take back. */
	if (unlikely(!lkx_events_quiet(&v->events) || window_asked || (v->proc_controls & LKX_WINDOWS)))
		return lkx_events_inject_some(v, window_asked);
	return 1;
}
/* Entry did not happen after lkx_events_inject. */
void lkx_events_cancel(struct lkx_vcpu *v);
/* After a VM exit: what was delivered is gone; what the exit interrupted is to be delivered again. */
void lkx_events_interrupted(struct lkx_vcpu *v);
static inline void lkx_events_after_exit(struct lkx_vcpu *v)
{
	struct lkx_events *e = &v->events;

	/* The processor clears the valid bit of ENTRY_INTERRUPTION_INFO at exit: what was in it is delivered, or comes back here. */
	e->entry_info_valid = false;
	e->exception_injected = e->interrupt_injected = e->nmi_injected = false;
	if (unlikely(v->exit.idt_vectoring_info & INTR_INFO_VALID))
		lkx_events_interrupted(v);
}

/* What comes with the exception goes into CR2 or DR6, at its delivery or where user space asks for an exception without it. */
void lkx_deliver_payload(struct lkx_vcpu *v);

/* KVM_INTERRUPT and KVM_NMI. */
void lkx_queue_interrupt(struct lkx_vcpu *v, u8 vector);
void lkx_queue_nmi(struct lkx_vcpu *v);

/* kvm_run.ready_for_interrupt_injection: the guest would take an interrupt at once and nothing is on its way. */
bool lkx_ready_for_interrupt(struct lkx_vcpu *v);

int lkx_exit_interrupt_window(struct lkx_vcpu *v);
int lkx_exit_nmi_window(struct lkx_vcpu *v);

#endif
