// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* MOV to and from control registers, CLTS, LMSW. Exit qualification: SDM vol. 3, table 28-3. */
#include "cr.h"
#include "exits.h"

#define CR_NUMBER(q) ((q) & 15)
#define CR_ACCESS_TYPE(q) (((q) >> 4) & 3)
#define CR_GPR(q) (((q) >> 8) & 15)
#define CR_LMSW_SOURCE(q) (((q) >> 16) & 0xffff)
enum { MOV_TO_CR, MOV_FROM_CR, CLTS, LMSW };

static int finish(struct lkx_vcpu *v, bool fault)
{
	if (fault)
		lkx_inject_gp(v);
	else
		lkx_skip_instruction(v);
	return 1;
}

static int write_cr(struct lkx_vcpu *v, unsigned int cr, u64 value)
{
	u64 old_cr8 = v->cr8;

	if (!lkx_is_64bit(v))
		value = (u32)value;
	switch (cr) {
	case 0:
		return finish(v, lkx_cr0_set(v, value));
	case 3:
		return finish(v, lkx_cr3_set(v, value));
	case 4:
		return finish(v, lkx_cr4_set(v, value));
	case 8:
		finish(v, lkx_cr8_set(v, value));
		/* A higher priority only holds interrupts back; a lower one may let user space's APIC deliver one. */
		if (old_cr8 <= v->cr8 || v->lapic)
			return 1;
		v->run->exit_reason = KVM_EXIT_SET_TPR;
		return 0;
	}
	lkx_inject_ud(v);
	return 1;
}

int lkx_exit_cr(struct lkx_vcpu *v)
{
	u64 q = v->exit.qualification, cr0;
	unsigned int cr = CR_NUMBER(q);

	switch (CR_ACCESS_TYPE(q)) {
	case MOV_TO_CR:
		return write_cr(v, cr, lkx_gpr(v, CR_GPR(q)));
	case MOV_FROM_CR: /* CR0 and CR4 are read from their shadows without an exit */
		if (cr != 3 && cr != 8) {
			lkx_inject_ud(v);
			return 1;
		}
		lkx_set_gpr(v, CR_GPR(q), cr == 3 ? vmcs_readn(v->hw, GUEST_CR3) : v->cr8);
		return finish(v, false);
	case CLTS:
		return finish(v, lkx_cr0_set(v, lkx_cr0(v) & ~CR0_TS));
	case LMSW: /* the low four bits, but PE is never cleared */
		cr0 = lkx_cr0(v);
		cr0 = (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | (CR_LMSW_SOURCE(q) & 15);
		return finish(v, lkx_cr0_set(v, cr0));
	}
	return 1;
}
