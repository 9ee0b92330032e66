// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* MOV to and from debug registers. Exit qualification: SDM vol. 3, table 28-4. */
#include "debug.h"
#include "exits.h"

#define DR_NUMBER(q) ((q) & 7)
#define DR_READ BIT(4)
#define DR_GPR(q) (((q) >> 8) & 15)

int lkx_exit_dr(struct lkx_vcpu *v)
{
	u64 q = v->exit.qualification, value;
	unsigned int dr = DR_NUMBER(q);
	u64 dr7 = lkx_dr7(v);

	if (lkx_cpl(v)) {
		lkx_inject_gp(v);
		return 1;
	}
	/* DR4 and DR5 are DR6 and DR7, unless debugging extensions are on. */
	if ((dr == 4 || dr == 5) && (lkx_cr4(v) & CR4_DE)) {
		lkx_inject_ud(v);
		return 1;
	}
	if ((v->guest_debug & KVM_GUESTDBG_USE_HW_BP) && (vmcs_readn(v->hw, GUEST_DR7) & DR7_GD))
		return lkx_debug_exit(v, VECTOR_DB, DR6_BD);
	if (dr7 & DR7_GD) {
		v->dr6 |= DR6_BD;
		lkx_set_dr7(v, dr7 & ~DR7_GD);
		lkx_queue_exception(v, VECTOR_DB);
		return 1;
	}
	if (q & DR_READ) {
		if (dr < 4)
			value = v->dr[dr];
		else
			value = dr == 4 || dr == 6 ? v->dr6 : dr7;
		lkx_set_gpr(v, DR_GPR(q), value);
		lkx_skip_instruction(v);
		return 1;
	}
	value = lkx_gpr(v, DR_GPR(q));
	if (!lkx_is_64bit(v))
		value = (u32)value;
	if (dr < 4) {
		v->dr[dr] = value;
	} else if (value >> 32) {
		lkx_inject_gp(v);
		return 1;
	} else if (dr == 4 || dr == 6) {
		v->dr6 = (value & DR6_WRITABLE) | DR6_FIXED1;
	} else {
		lkx_set_dr7(v, (value & DR7_WRITABLE) | DR7_FIXED1);
	}
	lkx_skip_instruction(v);
	return 1;
}
