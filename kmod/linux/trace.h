/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Tracepoints: /sys/kernel/tracing/events/likex. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM likex

#if !defined(LKX_LINUX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LKX_LINUX_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(likex_entry,
	TP_PROTO(unsigned int vcpu, u64 rip),
	TP_ARGS(vcpu, rip),
	TP_STRUCT__entry(__field(unsigned int, vcpu) __field(u64, rip)),
	TP_fast_assign(__entry->vcpu = vcpu; __entry->rip = rip;),
	TP_printk("vcpu %u rip %#llx", __entry->vcpu, __entry->rip)
);

TRACE_EVENT(likex_exit,
	TP_PROTO(unsigned int vcpu, u32 reason, u64 qualification, u64 rip, u32 interruption, u32 vectoring),
	TP_ARGS(vcpu, reason, qualification, rip, interruption, vectoring),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu) __field(u32, reason) __field(u64, qualification) __field(u64, rip)
		__field(u32, interruption) __field(u32, vectoring)),
	TP_fast_assign(
		__entry->vcpu = vcpu; __entry->reason = reason; __entry->qualification = qualification;
		__entry->rip = rip; __entry->interruption = interruption; __entry->vectoring = vectoring;),
	TP_printk("vcpu %u reason %#x qualification %#llx rip %#llx interruption %#x vectoring %#x",
		  __entry->vcpu, __entry->reason, __entry->qualification, __entry->rip, __entry->interruption,
		  __entry->vectoring)
);

TRACE_EVENT(likex_inject,
	TP_PROTO(unsigned int vcpu, u32 info, u32 error),
	TP_ARGS(vcpu, info, error),
	TP_STRUCT__entry(__field(unsigned int, vcpu) __field(u32, info) __field(u32, error)),
	TP_fast_assign(__entry->vcpu = vcpu; __entry->info = info; __entry->error = error;),
	TP_printk("vcpu %u vector %u info %#x error %#x", __entry->vcpu, __entry->info & 0xff, __entry->info,
		  __entry->error)
);

TRACE_EVENT(likex_fault,
	TP_PROTO(unsigned int vcpu, u64 gpa, u64 qualification, u64 spte),
	TP_ARGS(vcpu, gpa, qualification, spte),
	TP_STRUCT__entry(__field(unsigned int, vcpu) __field(u64, gpa) __field(u64, qualification) __field(u64, spte)),
	TP_fast_assign(__entry->vcpu = vcpu; __entry->gpa = gpa; __entry->qualification = qualification;
		       __entry->spte = spte;),
	TP_printk("vcpu %u gpa %#llx qualification %#llx spte %#llx", __entry->vcpu, __entry->gpa,
		  __entry->qualification, __entry->spte)
);

TRACE_EVENT(likex_mmio,
	TP_PROTO(unsigned int vcpu, u64 gpa, u32 len, bool write, u64 data),
	TP_ARGS(vcpu, gpa, len, write, data),
	TP_STRUCT__entry(__field(unsigned int, vcpu) __field(u64, gpa) __field(u32, len) __field(bool, write)
			 __field(u64, data)),
	TP_fast_assign(__entry->vcpu = vcpu; __entry->gpa = gpa; __entry->len = len; __entry->write = write;
		       __entry->data = data;),
	TP_printk("vcpu %u %s gpa %#llx len %u data %#llx", __entry->vcpu, __entry->write ? "write" : "read",
		  __entry->gpa, __entry->len, __entry->data)
);

TRACE_EVENT(likex_pio,
	TP_PROTO(unsigned int vcpu, u16 port, u32 size, u32 count, bool in),
	TP_ARGS(vcpu, port, size, count, in),
	TP_STRUCT__entry(__field(unsigned int, vcpu) __field(u16, port) __field(u32, size) __field(u32, count)
			 __field(bool, in)),
	TP_fast_assign(__entry->vcpu = vcpu; __entry->port = port; __entry->size = size; __entry->count = count;
		       __entry->in = in;),
	TP_printk("vcpu %u %s port %#x size %u count %u", __entry->vcpu, __entry->in ? "in" : "out", __entry->port,
		  __entry->size, __entry->count)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
