// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The exceptions that exit (vcpu.c says which) go back to the guest; NMIs and machine checks were the host's. */
#include "debug.h"
#include "exits.h"

#define DB_QUALIFICATION (0xfull | DR6_BD | DR6_BS)

static int debug_exception(struct lkx_vcpu *v)
{
	u32 interruptibility = vmcs_read32(v->hw, GUEST_INTERRUPTIBILITY);
	u32 type = v->exit.interruption_info & INTR_INFO_TYPE;

	/* The processor has not touched DR6 and DR7; the qualification says what it would have done. SDM vol. 3, 28.1. */
	v->dr6 = (v->dr6 & ~0xfull) | (v->exit.qualification & DB_QUALIFICATION);
	lkx_set_dr7(v, lkx_dr7(v) & ~DR7_GD);
	if (type == INTR_TYPE_PRIVILEGED_EXCEPTION) {
		/* INT1 traps: the handler returns to what follows it. */
		lkx_set_rip(v, lkx_rip(v) + v->exit.instruction_length);
	} else if ((lkx_rflags(v) & RFLAGS_TF) &&
		   (interruptibility & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS))) {
		/* VM entry wants TF under an interrupt shadow to have its pending step. SDM vol. 3, 27.3.1.5. */
		vmcs_writen(v->hw, GUEST_PENDING_DEBUG, vmcs_readn(v->hw, GUEST_PENDING_DEBUG) | DR6_BS);
	}
	lkx_queue_exception(v, VECTOR_DB);
	return 1;
}

int lkx_exit_exception(struct lkx_vcpu *v)
{
	u32 info = v->exit.interruption_info;
	u8 vector = info & INTR_INFO_VECTOR;

	if ((info & INTR_INFO_TYPE) == INTR_TYPE_NMI || vector == VECTOR_MC)
		return 1;
	if (unlikely(v->guest_debug) && !lkx_debug_exception(v, vector))
		return 0;
	if (vector == VECTOR_DB)
		return debug_exception(v);
	if (info & INTR_INFO_ERROR_CODE)
		lkx_queue_exception_error(v, vector, v->exit.interruption_error);
	else
		lkx_queue_exception(v, vector);
	return 1;
}
