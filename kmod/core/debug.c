// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "debug.h"
#include "segment.h"

#define INT3_BYTES 1

static bool steps(const struct lkx_vcpu *v)
{
	return v->guest_debug & KVM_GUESTDBG_SINGLESTEP;
}

int lkx_set_guest_debug(struct lkx_vcpu *v, const struct kvm_guest_debug *s)
{
	const u64 *db = s->arch.debugreg;
	u32 control = s->control & KVM_GUESTDBG_ENABLE ? s->control : 0;
	struct lkx_events *e = &v->events;
	u64 dr7 = lkx_dr7(v);

	if ((s->control & ~LKX_GUEST_DEBUG) || ((control & KVM_GUESTDBG_USE_HW_BP) && db[7] >> 32))
		return -EINVAL;
	if (s->control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)) {
		if (e->exception_pending || e->exception_injected)
			return -EBUSY;
		lkx_queue_exception(v, s->control & KVM_GUESTDBG_INJECT_DB ? VECTOR_DB : VECTOR_BP);
		if (e->exception_vector == VECTOR_BP) {
			e->exception_soft = true;
			e->instruction_length = v->breakpoint_bytes ? v->breakpoint_bytes : INT3_BYTES;
		}
	}
	v->guest_debug = control;
	/* What KVM_GUESTDBG_BLOCKIRQ held back may go now. */
	if (v->lapic)
		lkx_request(v, LKX_REQUEST_LAPIC);
	v->stepped = false;
	lkx_set_dr7(v, dr7);
	if (control & KVM_GUESTDBG_USE_HW_BP) {
		memcpy(v->debug_dr, db, sizeof(v->debug_dr));
		vmcs_writen(v->hw, GUEST_DR7, (db[7] & DR7_WRITABLE) | DR7_FIXED1);
	}
	vmcs_write32(v->hw, EXCEPTION_BITMAP,
		     EXCEPTIONS_THAT_EXIT | (control & KVM_GUESTDBG_USE_SW_BP ? BIT(VECTOR_BP) : 0));
	return 0;
}

void lkx_debug_begin(struct lkx_vcpu *v)
{
	u32 blocked;

	if (!steps(v))
		return;
	v->own_tf = lkx_rflags(v) & RFLAGS_TF;
	vmcs_writen(v->hw, GUEST_RFLAGS, lkx_rflags(v) | RFLAGS_TF);
	/*
	 * After a step over STI or MOV SS: VM entry would want a pending step with the shadow, and take it before the guest has done anything.
	 * SDM vol. 3, 27.3.1.5 and 27.7.3.
	 */
	blocked = vmcs_read32(v->hw, GUEST_INTERRUPTIBILITY);
	if (blocked & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS))
		vmcs_write32(v->hw, GUEST_INTERRUPTIBILITY, blocked & ~(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
	vmcs_writen(v->hw, GUEST_PENDING_DEBUG, vmcs_readn(v->hw, GUEST_PENDING_DEBUG) & ~DR6_BS);
}

void lkx_debug_end(struct lkx_vcpu *v)
{
	/* Where it is clear now, the guest has cleared it: by an exception's delivery, POPF or IRET. */
	if (steps(v) && !v->own_tf)
		vmcs_writen(v->hw, GUEST_RFLAGS, lkx_rflags(v) & ~RFLAGS_TF);
}

int lkx_debug_exit(struct lkx_vcpu *v, u8 vector, u64 dr6)
{
	struct kvm_debug_exit_arch *debug = &v->run->debug.arch;
	u64 pc = lkx_rip(v);

	if (!lkx_is_64bit(v))
		pc = (u32)(pc + lkx_segment_base(v, SEG_CS));
	v->stepped = false;
	v->run->exit_reason = KVM_EXIT_DEBUG;
	*debug = (struct kvm_debug_exit_arch){
		.exception = vector,
		.pc = pc,
		.dr6 = dr6 | DR6_FIXED1,
		.dr7 = vmcs_readn(v->hw, GUEST_DR7),
	};
	return 0;
}

int lkx_debug_exception(struct lkx_vcpu *v, u8 vector)
{
	if (vector == VECTOR_DB && (v->guest_debug & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP)))
		return lkx_debug_exit(v, vector, v->exit.qualification);
	if (vector == VECTOR_BP && (v->guest_debug & KVM_GUESTDBG_USE_SW_BP)) {
		v->breakpoint_bytes = v->exit.instruction_length;
		return lkx_debug_exit(v, vector, 0);
	}
	return 1;
}
