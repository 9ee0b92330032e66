// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "likex.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

/* Somebody listens: plat.h. */

void lkx_trace_entry(struct lkx_vcpu *v)
{
	trace_likex_entry(v->id, lkx_rip(v));
}

void lkx_trace_exit(struct lkx_vcpu *v, const struct lkx_exit *e)
{
	trace_likex_exit(v->id, e->reason, e->qualification, lkx_rip(v), e->interruption_info, e->idt_vectoring_info);
}

void lkx_trace_pio(struct lkx_vcpu *v, u16 port, u32 size, u32 count, bool in)
{
	trace_likex_pio(v->id, port, size, count, in);
}

/* Somebody may: these say it themselves. */

void plat_trace_inject(struct lkx_vcpu *v, u32 interruption_info, u32 error_code)
{
	trace_likex_inject(v->id, interruption_info, error_code);
}

void plat_trace_fault(struct lkx_vcpu *v, u64 gpa, u64 qualification, u64 spte)
{
	trace_likex_fault(v->id, gpa, qualification, spte);
}

void plat_trace_mmio(struct lkx_vcpu *v, u64 gpa, u32 len, bool write, u64 data)
{
	trace_likex_mmio(v->id, gpa, len, write, data);
}
