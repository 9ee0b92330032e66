// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "events.h"
#include "debug.h"
#include "exits.h"
#include "lapic.h"
#include "pv.h"

static void set_proc_controls(struct lkx_vcpu *v, u32 controls)
{
	if (controls == v->proc_controls)
		return;
	v->proc_controls = controls;
	vmcs_write32(v->hw, PROC_CONTROLS, controls);
}

/* Exceptions that make a double fault of one already on its way. SDM vol. 3, table 6-5. */
static bool contributory(u8 vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

static void queue(struct lkx_vcpu *v, u8 vector, bool has_error, u32 error)
{
	struct lkx_events *e = &v->events;

	if (e->exception_pending || e->exception_injected) {
		u8 first = e->exception_vector;

		if (first == VECTOR_DF) { /* the processor's third strike */
			e->exception_pending = e->exception_injected = false;
			v->triple_fault = true;
			return;
		}
		if ((contributory(first) && contributory(vector)) ||
		    (first == VECTOR_PF && (vector == VECTOR_PF || contributory(vector)))) {
			vector = VECTOR_DF;
			has_error = true;
			error = 0;
		}
		/* else: benign; the first comes again when its instruction does */
	}
	e->exception_injected = false;
	e->exception_has_payload = false;
	e->exception_pending = true;
	e->exception_soft = false;
	e->exception_vector = vector;
	e->exception_has_error = has_error;
	e->exception_error = error;
}

void lkx_queue_exception(struct lkx_vcpu *v, u8 vector)
{
	queue(v, vector, false, 0);
}

void lkx_queue_exception_error(struct lkx_vcpu *v, u8 vector, u32 error)
{
	queue(v, vector, true, error);
}

void lkx_queue_page_fault(struct lkx_vcpu *v, u64 address, u32 error)
{
	v->cr2 = address;
	queue(v, VECTOR_PF, true, error);
}

void lkx_queue_interrupt(struct lkx_vcpu *v, u8 vector)
{
	v->events.interrupt_pending = true;
	v->events.interrupt_injected = false;
	v->events.interrupt_soft = false;
	v->events.interrupt_vector = vector;
}

void lkx_queue_nmi(struct lkx_vcpu *v)
{
	/* One in service and one latched behind it, as the processor has. */
	u32 blocked = vmcs_read32(v->hw, GUEST_INTERRUPTIBILITY) & INTERRUPTIBILITY_NMI;
	u8 limit = blocked || v->events.nmi_injected ? 1 : 2;

	if (v->events.nmi_pending < limit)
		v->events.nmi_pending++;
}

static bool interrupts_allowed(struct lkx_vcpu *v, u32 interruptibility)
{
	return (lkx_rflags(v) & RFLAGS_IF) && !(interruptibility & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
}

bool lkx_ready_for_interrupt(struct lkx_vcpu *v)
{
	const struct lkx_events *e = &v->events;

	if (v->lapic && (v->lapic->extint_pending || !lkx_lapic_accepts_extint(v)))
		return false;
	return !(e->exception_pending | e->exception_injected | e->interrupt_pending | e->interrupt_injected |
		 e->nmi_injected) &&
	       interrupts_allowed(v, vmcs_read32(v->hw, GUEST_INTERRUPTIBILITY));
}

static void enter_with(struct lkx_vcpu *v, u32 info, u32 error)
{
	lkx_wake(v);
	if (info & INTR_INFO_ERROR_CODE)
		vmcs_write32(v->hw, ENTRY_EXCEPTION_ERROR_CODE, error);
	vmcs_write32(v->hw, ENTRY_INTERRUPTION_INFO, info | INTR_INFO_VALID);
	v->events.entry_info_valid = true;
	plat_trace_inject(v, info | INTR_INFO_VALID, error);
}

/*
 * Faults push RFLAGS with RF set, so that the instruction gets past its own breakpoint when it is tried again. The processor
 * does that for its own faults, not for injected ones. SDM vol. 3, 18.3.1.1 and 27.6.1.
 */
static bool is_fault(u8 vector)
{
	return !(BIT(vector) & (BIT(VECTOR_DB) | BIT(VECTOR_NMI) | BIT(VECTOR_BP) | BIT(VECTOR_OF) | BIT(VECTOR_DF) |
				BIT(VECTOR_MC)));
}

/* Entry insists: by vector and mode, also where user space changed the mode since the exception came. SDM vol. 3, 27.2.1.3. */
static bool has_error_code(u8 vector)
{
	return BIT(vector) & (BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |
			      BIT(VECTOR_PF) | BIT(VECTOR_AC));
}

void lkx_deliver_payload(struct lkx_vcpu *v)
{
	struct lkx_events *e = &v->events;
	u64 payload = e->exception_payload;

	if (!e->exception_has_payload)
		return;
	e->exception_has_payload = false;
	if (e->exception_vector == VECTOR_PF) {
		v->cr2 = payload;
	} else if (e->exception_vector == VECTOR_DB) {
		v->dr6 = (v->dr6 & ~DR6_TRAPS) | (payload & DR6_WRITABLE);
		lkx_set_dr7(v, lkx_dr7(v) & ~DR7_GD);
	}
}

static void inject_exception(struct lkx_vcpu *v)
{
	struct lkx_events *e = &v->events;
	u32 info = e->exception_vector | INTR_TYPE_HARD_EXCEPTION;

	lkx_deliver_payload(v);
	if (e->exception_pending && is_fault(e->exception_vector))
		vmcs_writen(v->hw, GUEST_RFLAGS, lkx_rflags(v) | RFLAGS_RF);
	if (e->exception_soft) {
		info = e->exception_vector | INTR_TYPE_SOFT_EXCEPTION;
		vmcs_write32(v->hw, ENTRY_INSTRUCTION_LENGTH, e->instruction_length);
	} else if (has_error_code(e->exception_vector) && (lkx_cr0(v) & CR0_PE)) {
		info |= INTR_INFO_ERROR_CODE; /* real mode has none */
	}
	e->exception_pending = false;
	e->exception_injected = true;
	enter_with(v, info, e->exception_has_error ? e->exception_error : 0);
}

static void inject_interrupt(struct lkx_vcpu *v)
{
	struct lkx_events *e = &v->events;
	u32 info = e->interrupt_vector | INTR_TYPE_EXTERNAL;

	if (e->interrupt_soft) {
		info = e->interrupt_vector | INTR_TYPE_SOFT_INTERRUPT;
		vmcs_write32(v->hw, ENTRY_INSTRUCTION_LENGTH, e->instruction_length);
	}
	e->interrupt_pending = false;
	e->interrupt_injected = true;
	enter_with(v, info, 0);
}

/* What other threads asked for, and what this one left to the moment before entry. As an exit handler's result. */
static int serve_requests(struct lkx_vcpu *v)
{
	u8 pv;

	if (v->lapic && (plat_read_once(v->events.requests) & LKX_REQUEST_LAPIC)) {
		int r = lkx_lapic_look(v);

		if (r <= 0)
			return r;
	}
	pv = lkx_take_requests(v, LKX_REQUEST_CLOCK | LKX_REQUEST_STEAL_TIME);
	if (pv)
		lkx_pv_serve(v, pv);
	return 1;
}

/*
 * What was interrupted comes first, then exceptions, NMIs, external interrupts; one an entry. What can't go now
 * asks for an exit at the moment it can.
 */
int lkx_events_inject_some(struct lkx_vcpu *v, bool window_asked)
{
	struct lkx_events *e = &v->events;
	u32 controls, interruptibility;
	/* A debugger may want to step the program, not the handlers of what comes meanwhile. */
	bool held = v->guest_debug & KVM_GUESTDBG_BLOCKIRQ;
	bool busy = true, wanted, now;

	if (plat_read_once(e->requests)) {
		int r = serve_requests(v);

		if (r <= 0)
			return r;
	}
	controls = v->proc_controls & ~LKX_WINDOWS;
	interruptibility = vmcs_read32(v->hw, GUEST_INTERRUPTIBILITY);
	if (e->exception_pending || e->exception_injected) {
		inject_exception(v);
	} else if (e->nmi_injected) {
		/* Its delivery blocks NMIs anew; blocking left from the first try would fail the entry. */
		vmcs_write32(v->hw, GUEST_INTERRUPTIBILITY, interruptibility & ~INTERRUPTIBILITY_NMI);
		enter_with(v, VECTOR_NMI | INTR_TYPE_NMI, 0);
	} else if (e->interrupt_injected) {
		inject_interrupt(v);
	} else {
		busy = false;
	}
	if (e->nmi_pending && !held) {
		if (!busy && !(interruptibility &
			       (INTERRUPTIBILITY_NMI | INTERRUPTIBILITY_MOV_SS | INTERRUPTIBILITY_STI))) {
			e->nmi_pending--;
			e->nmi_injected = true;
			enter_with(v, VECTOR_NMI | INTR_TYPE_NMI, 0);
			busy = true;
		}
		if (e->nmi_pending)
			controls |= CTRL(PROC, NMI_WINDOW_EXITING);
	}
	now = !busy && !held && interrupts_allowed(v, interruptibility);
	wanted = e->interrupt_pending || (v->lapic && lkx_lapic_offer(v, now));
	if (wanted && now) {
		inject_interrupt(v);
		busy = true;
		/* Behind one of user space's there may be one of the APIC's. */
		wanted = v->lapic && lkx_lapic_offer(v, false);
	}
	if (wanted && !held)
		controls |= CTRL(PROC, INTERRUPT_WINDOW_EXITING);
	if (!busy && e->entry_info_valid) {
		vmcs_write32(v->hw, ENTRY_INTERRUPTION_INFO, 0);
		e->entry_info_valid = false;
	}
	if (window_asked && (!v->lapic || lkx_lapic_accepts_extint(v)))
		controls |= CTRL(PROC, INTERRUPT_WINDOW_EXITING);
	set_proc_controls(v, controls);
	if (v->lapic)
		lkx_lapic_load(v);
	return 1;
}

void lkx_events_cancel(struct lkx_vcpu *v)
{
	struct lkx_events *e = &v->events;

	/* User space may change IF or whatever else before the next try: an external interrupt waits its turn again. */
	if (e->interrupt_injected && !e->interrupt_soft) {
		e->interrupt_injected = false;
		e->interrupt_pending = true;
	}
}

void lkx_events_interrupted(struct lkx_vcpu *v)
{
	struct lkx_events *e = &v->events;
	u32 info = v->exit.idt_vectoring_info;

	switch (info & INTR_INFO_TYPE) {
	case INTR_TYPE_NMI:
		e->nmi_injected = true;
		break;
	case INTR_TYPE_SOFT_EXCEPTION:
	case INTR_TYPE_PRIVILEGED_EXCEPTION:
	case INTR_TYPE_HARD_EXCEPTION:
		e->exception_injected = true;
		e->exception_pending = false;
		e->exception_soft = (info & INTR_INFO_TYPE) == INTR_TYPE_SOFT_EXCEPTION;
		e->exception_vector = info & INTR_INFO_VECTOR;
		e->exception_has_error = info & INTR_INFO_ERROR_CODE;
		e->exception_error = v->exit.idt_vectoring_error;
		e->instruction_length = v->exit.instruction_length;
		break;
	case INTR_TYPE_SOFT_INTERRUPT:
	case INTR_TYPE_EXTERNAL:
		e->interrupt_injected = true;
		e->interrupt_pending = false;
		e->interrupt_soft = (info & INTR_INFO_TYPE) == INTR_TYPE_SOFT_INTERRUPT;
		e->interrupt_vector = info & INTR_INFO_VECTOR;
		e->instruction_length = v->exit.instruction_length;
		break;
	}
}

int lkx_exit_interrupt_window(struct lkx_vcpu *v)
{
	set_proc_controls(v, v->proc_controls & ~CTRL(PROC, INTERRUPT_WINDOW_EXITING));
	if (v->lapic)
		lkx_request(v, LKX_REQUEST_LAPIC);
	return 1;
}

int lkx_exit_nmi_window(struct lkx_vcpu *v)
{
	set_proc_controls(v, v->proc_controls & ~CTRL(PROC, NMI_WINDOW_EXITING));
	return 1;
}
