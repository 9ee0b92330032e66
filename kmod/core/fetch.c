// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "fetch.h"
#include "segment.h"

void lkx_fetch(struct lkx_vcpu *v, struct lkx_fetched *f)
{
	unsigned int access = ACCESS_FETCH | lkx_explicit_access(v);
	u64 linear = lkx_rip(v);
	unsigned int first;

	if (!lkx_is_64bit(v))
		linear = (u32)(linear + lkx_segment_base(v, SEG_CS));
	first = min_t(u64, LKX_INSN_MAX, LKX_PAGE_BYTES - LKX_PAGE_OFFSET(linear));

	*f = (struct lkx_fetched){ 0 };
	f->err = lkx_gla_read(v, linear, access, f->byte, first, &f->fault);
	if (f->err)
		return;
	f->count = first;
	if (first == LKX_INSN_MAX)
		return;
	f->err = lkx_gla_read(v, linear + first, access, f->byte + first, LKX_INSN_MAX - first, &f->fault);
	if (!f->err)
		f->count = LKX_INSN_MAX;
}
