// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* MOV to and from debug registers. Exit qualification: SDM vol. 3, table 28-4. */
#include "exits.h"

#define DR_NUMBER(q) ((q) & 7)
#define DR_READ BIT(4)
#define DR_GPR(q) (((q) >> 8) & 15)

#define DR6_WRITABLE 0xe00full
#define DR7_WRITABLE 0xffff2bffull

int lkx_exit_dr(struct lkx_vcpu *v)
{
	u64 q = v->exit.qualification, value;
	unsigned int dr = DR_NUMBER(q);
	u64 dr7 = vmcs_readn(v->hw, GUEST_DR7);

	if (lkx_cpl(v)) {
		lkx_inject_gp(v);
		return 1;
	}
	/* DR4 and DR5 are DR6 and DR7, unless debugging extensions are on. */
	if ((dr == 4 || dr == 5) && (lkx_cr4(v) & CR4_DE)) {
		lkx_inject_ud(v);
		return 1;
	}
	if (dr7 & DR7_GD) {
		v->dr6 |= DR6_BD;
		vmcs_writen(v->hw, GUEST_DR7, dr7 & ~DR7_GD);
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
		vmcs_writen(v->hw, GUEST_DR7, (value & DR7_WRITABLE) | DR7_FIXED1);
	}
	lkx_skip_instruction(v);
	return 1;
}
