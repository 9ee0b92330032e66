/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A data access through a segment register: linear address and the checks before paging's. SDM vol. 3, chapter 5. */
#ifndef LKX_SEGMENT_H
#define LKX_SEGMENT_H

#include "guest_memory.h"

/* Address size of the code segment's mode: 2, 4 or 8 bytes. */
unsigned int lkx_code_bytes(struct lkx_vcpu *v);

/*
 * The linear address of `size` bytes at `effective` in segment `seg` (ES to GS), checked against its limit and type and for
 * canonical form. 0; -EFAULT with `*fault` filled (#GP, #SS).
 */
int lkx_segment_access(struct lkx_vcpu *v, enum lkx_seg seg, u64 effective, unsigned int size, bool write, u64 *linear,
		       struct lkx_walk_fault *fault);

/* lkx_gla_read's and lkx_gla_write's permission for an access that the running program makes itself. */
static inline unsigned int lkx_explicit_access(struct lkx_vcpu *v)
{
	return lkx_cpl(v) == 3 ? ACCESS_USER : ACCESS_READ;
}

static inline u64 lkx_segment_base(struct lkx_vcpu *v, enum lkx_seg seg)
{
	return hw_vmread(v->hw, VMCS_GUEST_ES_BASE + 2 * seg);
}

#endif
