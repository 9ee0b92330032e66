// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS: what is on its way to the guest, and what holds it up. */
#include "events.h"
#include "lapic.h"
#include "state.h"

#define LAST_EXCEPTION 31
/* Bits that an exception's error code may have; VM entry refuses others. SDM vol. 3, 27.2.1.3. */
#define ERROR_CODE_BITS 0x7fffu
#define SHADOW_BITS (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)

void lkx_get_vcpu_events(struct lkx_vcpu *v, struct kvm_vcpu_events *s)
{
	u32 blocked = vmcs_read32(v->hw, GUEST_INTERRUPTIBILITY);
	struct lkx_events *e = &v->events;
	bool distinct = v->vm->exception_payload;

	if (!distinct)
		lkx_deliver_payload(v);
	*s = (struct kvm_vcpu_events){
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
		.nmi = {
			.injected = e->nmi_injected,
			.pending = e->nmi_pending,
			.masked = !!(blocked & INTERRUPTIBILITY_NMI),
		},
		.interrupt.shadow = (blocked & INTERRUPTIBILITY_MOV_SS ? KVM_X86_SHADOW_INT_MOV_SS : 0) |
				    (blocked & INTERRUPTIBILITY_STI ? KVM_X86_SHADOW_INT_STI : 0),
	};
	/* INT n and INT3 whose delivery was interrupted are not told: the guest is still at them, and does them again. */
	if (e->exception_pending || (e->exception_injected && !e->exception_soft)) {
		s->exception.pending = distinct && e->exception_pending;
		s->exception.injected = !s->exception.pending;
		s->exception.nr = e->exception_vector;
		s->exception.has_error_code = e->exception_has_error;
		s->exception.error_code = e->exception_has_error ? e->exception_error : 0;
		s->exception_has_payload = e->exception_has_payload;
		s->exception_payload = e->exception_has_payload ? e->exception_payload : 0;
	}
	if (e->interrupt_pending || (e->interrupt_injected && !e->interrupt_soft)) {
		s->interrupt.injected = 1;
		s->interrupt.nr = e->interrupt_vector;
	}
	if (distinct)
		s->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (v->vm->triple_fault_event) {
		s->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
		s->triple_fault.pending = v->triple_fault;
	}
}

static bool valid(struct lkx_vcpu *v, const struct kvm_vcpu_events *s, bool exception)
{
	u32 known = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM;

	if (v->vm->exception_payload)
		known |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (v->vm->triple_fault_event)
		known |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	/* No SIPI without a local APIC here. */
	if (v->lapic)
		known |= KVM_VCPUEVENT_VALID_SIPI_VECTOR;
	if (s->flags & ~known)
		return false;
	/* Stock KVM's events say that there is no SMM: that is so. */
	if ((s->flags & KVM_VCPUEVENT_VALID_SMM) &&
	    (s->smi.smm | s->smi.pending | s->smi.smm_inside_nmi | s->smi.latched_init))
		return false;
	/* INT n would need its length, which the struct has no place for: GET never tells one. */
	if (s->interrupt.injected && s->interrupt.soft)
		return false;
	if (!exception)
		return true;
	return s->exception.nr <= LAST_EXCEPTION && s->exception.nr != VECTOR_NMI &&
	       !(s->exception.has_error_code && (s->exception.error_code & ~ERROR_CODE_BITS));
}

static void set_interruptibility(struct lkx_vcpu *v, const struct kvm_vcpu_events *s)
{
	u32 blocked = vmcs_read32(v->hw, GUEST_INTERRUPTIBILITY) & ~INTERRUPTIBILITY_NMI;

	if (s->nmi.masked)
		blocked |= INTERRUPTIBILITY_NMI;
	if (s->flags & KVM_VCPUEVENT_VALID_SHADOW) {
		u64 debug = vmcs_readn(v->hw, GUEST_PENDING_DEBUG) & ~DR6_BS;

		blocked &= ~SHADOW_BITS;
		if (s->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS)
			blocked |= INTERRUPTIBILITY_MOV_SS;
		else if (s->interrupt.shadow & KVM_X86_SHADOW_INT_STI)
			blocked |= INTERRUPTIBILITY_STI;
		/* VM entry wants TF under an interrupt shadow to have its pending step. SDM vol. 3, 27.3.1.5. */
		if ((blocked & SHADOW_BITS) && (lkx_rflags(v) & RFLAGS_TF))
			debug |= DR6_BS;
		vmcs_writen(v->hw, GUEST_PENDING_DEBUG, debug);
	}
	vmcs_write32(v->hw, GUEST_INTERRUPTIBILITY, blocked);
}

int lkx_set_vcpu_events(struct lkx_vcpu *v, const struct kvm_vcpu_events *s)
{
	bool pending = (s->flags & KVM_VCPUEVENT_VALID_PAYLOAD) && s->exception.pending;
	bool injected = s->exception.injected && !pending;
	struct lkx_events *e = &v->events;

	if (!valid(v, s, pending || injected))
		return -EINVAL;
	e->exception_pending = pending;
	e->exception_injected = injected;
	e->exception_soft = false;
	e->exception_vector = s->exception.nr;
	e->exception_has_error = s->exception.has_error_code;
	e->exception_error = s->exception.error_code;
	e->exception_has_payload = pending && s->exception_has_payload;
	e->exception_payload = s->exception_payload;

	e->interrupt_pending = e->interrupt_injected = false;
	if (s->interrupt.injected)
		lkx_queue_interrupt(v, s->interrupt.nr);

	lkx_wake(v);
	set_interruptibility(v, s);
	e->nmi_injected = s->nmi.injected;
	if (s->flags & KVM_VCPUEVENT_VALID_NMI_PENDING) {
		u8 i;

		e->nmi_pending = 0;
		for (i = 0; i < min_t(u8, s->nmi.pending, 2); i++)
			lkx_queue_nmi(v);
	}
	if (s->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
		v->triple_fault = s->triple_fault.pending;
	if (v->lapic) {
		if (s->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR)
			v->lapic->startup_vector = s->sipi_vector;
		lkx_request(v, LKX_REQUEST_LAPIC);
	}
	return 0;
}
