// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "segment.h"

/* The fields of one kind are 2 apart, in the order of enum lkx_seg. */
_Static_assert(VMCS_GUEST_GS_BASE == VMCS_GUEST_ES_BASE + 2 * SEG_GS, "segment base fields");
_Static_assert(VMCS_GUEST_GS_LIMIT == VMCS_GUEST_ES_LIMIT + 2 * SEG_GS, "segment limit fields");
_Static_assert(VMCS_GUEST_GS_ACCESS_RIGHTS == VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * SEG_GS, "segment access-rights fields");

/* Access rights as in a descriptor's bytes 5 and 6. */
#define AR_READ_WRITE BIT(1)  /* code: readable, data: writable */
#define AR_EXPAND_DOWN BIT(2) /* data only */
#define AR_IS_CODE BIT(3)
#define AR_BIG BIT(14)

unsigned int lkx_code_bytes(struct lkx_vcpu *v)
{
	if (lkx_is_64bit(v))
		return 8;
	return vmcs_read32(v->hw, GUEST_CS_ACCESS_RIGHTS) & AR_BIG ? 4 : 2;
}

static bool type_allows(u32 ar, bool write)
{
	if (ar & AR_UNUSABLE)
		return false;
	if (ar & AR_IS_CODE)
		return !write && (ar & AR_READ_WRITE);
	return !write || (ar & AR_READ_WRITE);
}

static bool in_limit(u32 ar, u64 limit, u64 first, u64 last)
{
	bool expand_down = (ar & AR_EXPAND_DOWN) && !(ar & AR_IS_CODE);

	if (expand_down)
		return first > limit && last <= (ar & AR_BIG ? 0xffffffffull : 0xffffull);
	return last <= limit;
}

/* Segment registers of real and virtual-8086 mode have limits but no types. */
static bool segment_allows(struct lkx_vcpu *v, enum lkx_seg seg, u64 first, u64 last, bool write)
{
	u64 limit = hw_vmread(v->hw, VMCS_GUEST_ES_LIMIT + 2 * seg);
	u32 ar = (u32)hw_vmread(v->hw, VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * seg);

	if (!(lkx_cr0(v) & CR0_PE) || (lkx_rflags(v) & RFLAGS_VM))
		return last <= limit;
	return type_allows(ar, write) && in_limit(ar, limit, first, last);
}

int lkx_segment_access(struct lkx_vcpu *v, enum lkx_seg seg, u64 effective, unsigned int size, bool write, u64 *linear,
		       struct lkx_walk_fault *fault)
{
	bool allowed;

	if (lkx_is_64bit(v)) {
		*linear = effective + (seg == SEG_FS || seg == SEG_GS ? lkx_segment_base(v, seg) : 0);
		allowed = lkx_is_canonical(*linear) && lkx_is_canonical(*linear + size - 1);
	} else {
		effective = (u32)effective;
		*linear = (u32)(lkx_segment_base(v, seg) + effective);
		allowed = segment_allows(v, seg, effective, effective + size - 1, write);
	}
	if (allowed)
		return 0;
	*fault = (struct lkx_walk_fault){
		.vector = seg == SEG_SS ? VECTOR_SS : VECTOR_GP,
		.address = *linear,
	};
	return -EFAULT;
}
