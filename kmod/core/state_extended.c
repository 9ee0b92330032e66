// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Debug registers, XCR0, and what an XSAVE image has to be like, as KVM's ioctls carry them. */
#include "cr.h"
#include "debug.h"
#include "state.h"

void lkx_get_debugregs(struct lkx_vcpu *v, struct kvm_debugregs *s)
{
	*s = (struct kvm_debugregs){
		.db = { v->dr[0], v->dr[1], v->dr[2], v->dr[3] },
		.dr6 = v->dr6,
		.dr7 = lkx_dr7(v),
	};
}

int lkx_set_debugregs(struct lkx_vcpu *v, const struct kvm_debugregs *s)
{
	/* A MOV with the upper half set would be #GP. SDM vol. 3, 18.2.6. */
	if (s->flags || s->dr6 >> 32 || s->dr7 >> 32)
		return -EINVAL;
	memcpy(v->dr, s->db, sizeof(v->dr));
	v->dr6 = (s->dr6 & DR6_WRITABLE) | DR6_FIXED1;
	lkx_set_dr7(v, (s->dr7 & DR7_WRITABLE) | DR7_FIXED1);
	return 0;
}

void lkx_get_xcrs(struct lkx_vcpu *v, struct kvm_xcrs *s)
{
	*s = (struct kvm_xcrs){ .nr_xcrs = 1 };
	s->xcrs[0].value = v->xcr0;
}

int lkx_set_xcrs(struct lkx_vcpu *v, const struct kvm_xcrs *s)
{
	u32 i;

	if (s->flags || s->nr_xcrs > KVM_MAX_XCRS)
		return -EINVAL;
	/* XCR0 is the only one there is. */
	for (i = 0; i < s->nr_xcrs; i++)
		if (!s->xcrs[i].xcr)
			return lkx_xcr0_set(v, s->xcrs[i].value) ? -EINVAL : 0;
	return 0;
}

/* Offsets in an XSAVE area, in 32-bit words. SDM vol. 1, 13.4. */
#define XSAVE_MXCSR 6
#define XSAVE_HEADER 128 /* XSTATE_BV, then XCOMP_BV and reserved bytes */
#define XSAVE_EXTENDED 144
#define MXCSR_BITS 0xffffu

int lkx_xsave_check(struct lkx_hw *hw, const struct kvm_xsave *s)
{
	u64 features = (u64)s->region[XSAVE_HEADER + 1] << 32 | s->region[XSAVE_HEADER];
	unsigned int i;

	if (features & ~(plat_guest_xcr0(hw) & XCR0_SUPPORTED))
		return -EINVAL;
	/* The standard form only: XCOMP_BV is 0, as is all that is reserved. */
	for (i = XSAVE_HEADER + 2; i < XSAVE_EXTENDED; i++)
		if (s->region[i])
			return -EINVAL;
	return (features & (XCR0_X87 | XCR0_SSE | XCR0_AVX)) && (s->region[XSAVE_MXCSR] & ~MXCSR_BITS) ? -EINVAL : 0;
}
