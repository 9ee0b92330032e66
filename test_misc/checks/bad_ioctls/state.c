// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Wrong (and barely right) state beyond registers: events, debug registers, XCR0, XSAVE, PDPTEs, the clock, capabilities to enable.
#include "rows.h"

#include <stdlib.h>
#include <string.h>

// Each with NULL, with an address of the kernel, and cut off by a page without rights.
#define POINTER_ROWS(NAME, FILE, REQUEST) \
	ROW(NAME##_null) { return ioctl(s->FILE, REQUEST, 0); } \
	ROW(NAME##_kernel_address) { return ioctl(s->FILE, REQUEST, KERNEL_ADDRESS); } \
	ROW(NAME##_cut_off) { return ioctl(s->FILE, REQUEST, before_closed_page(16)); }

POINTER_ROWS(get_events, vcpu, KVM_GET_VCPU_EVENTS)
POINTER_ROWS(set_events, vcpu, KVM_SET_VCPU_EVENTS)
POINTER_ROWS(get_debugregs, vcpu, KVM_GET_DEBUGREGS)
POINTER_ROWS(set_debugregs, vcpu, KVM_SET_DEBUGREGS)
POINTER_ROWS(get_xcrs, vcpu, KVM_GET_XCRS)
POINTER_ROWS(set_xcrs, vcpu, KVM_SET_XCRS)
POINTER_ROWS(get_xsave, vcpu, KVM_GET_XSAVE)
POINTER_ROWS(get_xsave2, vcpu, KVM_GET_XSAVE2)
POINTER_ROWS(set_xsave, vcpu, KVM_SET_XSAVE)
POINTER_ROWS(get_sregs2, vcpu, KVM_GET_SREGS2)
POINTER_ROWS(set_sregs2, vcpu, KVM_SET_SREGS2)
POINTER_ROWS(get_clock, vm, KVM_GET_CLOCK)
POINTER_ROWS(set_clock, vm, KVM_SET_CLOCK)
POINTER_ROWS(enable_cap, vm, KVM_ENABLE_CAP)
ROW(kvmclock_ctrl_without_clock) { return ioctl(s->vcpu, KVM_KVMCLOCK_CTRL, 0); }
ROW(feature_list_null) { return ioctl(s->system, KVM_GET_MSR_FEATURE_INDEX_LIST, 0); }

// SET of zeroes with changes, VALUE of what is read then.
#define SET_ROW(NAME, TYPE, REQUEST, ...) \
	ROW(NAME) { \
		struct TYPE r; \
		memset(&r, 0, sizeof(r)); \
		__VA_ARGS__; \
		return ioctl(s->vcpu, REQUEST, &r); \
	}
#define EVENTS_ROW(NAME, ...) SET_ROW(events_##NAME, kvm_vcpu_events, KVM_SET_VCPU_EVENTS, __VA_ARGS__)

static void exception(struct kvm_vcpu_events *r, int vector)
{
	r->exception.injected = 1;
	r->exception.nr = vector;
}

EVENTS_ROW(nothing)
EVENTS_ROW(unknown_flag, r.flags = 0x40)
EVENTS_ROW(last_flag, r.flags = 1u << 31)
EVENTS_ROW(sipi, r.flags = KVM_VCPUEVENT_VALID_SIPI_VECTOR)
EVENTS_ROW(no_smm, r.flags = KVM_VCPUEVENT_VALID_SMM)
EVENTS_ROW(smm, r.flags = KVM_VCPUEVENT_VALID_SMM; r.smi.smm = 1)
EVENTS_ROW(payload_not_enabled, r.flags = KVM_VCPUEVENT_VALID_PAYLOAD)
EVENTS_ROW(triple_fault_not_enabled, r.flags = KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
EVENTS_ROW(exception_31, exception(&r, 31))
EVENTS_ROW(exception_32, exception(&r, 32))
EVENTS_ROW(exception_nmi, exception(&r, 2))
EVENTS_ROW(vector_of_no_exception, r.exception.nr = 255)
EVENTS_ROW(error_code_too_large, exception(&r, 13); r.exception.has_error_code = 1; r.exception.error_code = ~0u)
EVENTS_ROW(soft_interrupt, r.interrupt.injected = 1; r.interrupt.soft = 1)

// What KVM_GET_VCPU_EVENTS has in FIELD after KVM_SET_VCPU_EVENTS.
#define EVENTS_AFTER(NAME, FIELD, ...) \
	ROW(events_##NAME) { \
		struct kvm_vcpu_events r; \
		memset(&r, 0, sizeof(r)); \
		__VA_ARGS__; \
		if (ioctl(s->vcpu, KVM_SET_VCPU_EVENTS, &r)) \
			return -1; \
		memset(&r, 0xff, sizeof(r)); \
		return ioctl(s->vcpu, KVM_GET_VCPU_EVENTS, &r) ? -1 : (long)(r.FIELD); \
	}

EVENTS_AFTER(after_exception, exception.injected << 16 | r.exception.nr << 8 | r.exception.pending, exception(&r, 14))
EVENTS_AFTER(after_error_code, exception.error_code, exception(&r, 13); r.exception.has_error_code = 1; r.exception.error_code = 0x1234)
EVENTS_AFTER(after_interrupt, interrupt.injected << 8 | r.interrupt.nr, r.interrupt.injected = 1; r.interrupt.nr = 0x55)
EVENTS_AFTER(after_shadow_without_flag, interrupt.shadow, r.interrupt.shadow = 1)
EVENTS_AFTER(after_both_shadows, interrupt.shadow, r.interrupt.shadow = 3; r.flags = KVM_VCPUEVENT_VALID_SHADOW)
EVENTS_AFTER(after_sti, interrupt.shadow, r.interrupt.shadow = 2; r.flags = KVM_VCPUEVENT_VALID_SHADOW)
EVENTS_AFTER(after_other_shadow, interrupt.shadow, r.interrupt.shadow = 4; r.flags = KVM_VCPUEVENT_VALID_SHADOW)
EVENTS_AFTER(after_nmi_masked, nmi.masked, r.nmi.masked = 1)
EVENTS_AFTER(after_nmi_injected, nmi.injected, r.nmi.injected = 1)
EVENTS_AFTER(after_nmi_pending, nmi.pending, r.nmi.pending = 1; r.flags = KVM_VCPUEVENT_VALID_NMI_PENDING)
EVENTS_AFTER(after_nmi_without_flag, nmi.pending, r.nmi.pending = 1)
EVENTS_AFTER(after_many_nmis, nmi.pending, r.nmi.pending = 200; r.flags = KVM_VCPUEVENT_VALID_NMI_PENDING)

static long enable(struct setup *s, unsigned int cap, uint64_t argument, unsigned int flags)
{
	struct kvm_enable_cap request = { .cap = cap, .args = { argument }, .flags = flags };

	return ioctl(s->vm, KVM_ENABLE_CAP, &request);
}

ROW(enable_payload) { return enable(s, KVM_CAP_EXCEPTION_PAYLOAD, 1, 0); }
ROW(enable_payload_with_flags) { return enable(s, KVM_CAP_EXCEPTION_PAYLOAD, 1, 1); }
ROW(enable_triple_fault) { return enable(s, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1, 0); }
EVENTS_AFTER(pending_with_payload, exception.pending << 8 | r.exception.injected | r.exception_payload,
	enable(s, KVM_CAP_EXCEPTION_PAYLOAD, 1, 0); exception(&r, 14); r.exception.pending = 1;
	r.exception_has_payload = 1; r.exception_payload = 0x120000; r.flags = KVM_VCPUEVENT_VALID_PAYLOAD)
EVENTS_AFTER(flags_with_all, flags & ~KVM_VCPUEVENT_VALID_SMM, enable(s, KVM_CAP_EXCEPTION_PAYLOAD, 1, 0);
	enable(s, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1, 0))
EVENTS_AFTER(triple_fault, triple_fault.pending, enable(s, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1, 0); r.triple_fault.pending = 1;
	r.flags = KVM_VCPUEVENT_VALID_TRIPLE_FAULT)

// How a run ends that a triple fault was given to.
ROW(run_with_triple_fault)
{
	struct kvm_vcpu_events r = { .flags = KVM_VCPUEVENT_VALID_TRIPLE_FAULT, .triple_fault.pending = 1 };

	enable(s, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1, 0);
	if (ioctl(s->vcpu, KVM_SET_VCPU_EVENTS, &r) || ioctl(s->vcpu, KVM_RUN, 0))
		return -1;
	return s->run->exit_reason;
}

#define DEBUG_ROW(NAME, ...) SET_ROW(debugregs_##NAME, kvm_debugregs, KVM_SET_DEBUGREGS, __VA_ARGS__)

DEBUG_ROW(zeroes)
DEBUG_ROW(flags, r.flags = 1)
DEBUG_ROW(dr6_high, r.dr6 = 1ull << 32)
DEBUG_ROW(dr7_high, r.dr7 = 1ull << 32)
DEBUG_ROW(all_ones_low, r.dr6 = r.dr7 = 0xffffffff; memset(r.db, 0xff, sizeof(r.db)))

// Whatever they are, the host goes on; the guest halts.
ROW(run_with_hostile_debugregs)
{
	struct kvm_debugregs r = { .db = { ~0ull, 1ull << 63, 0, 0x800000000000 }, .dr6 = 0xffffffff, .dr7 = 0xffffffff };

	if (ioctl(s->vcpu, KVM_SET_DEBUGREGS, &r) || ioctl(s->vcpu, KVM_RUN, 0))
		return -1;
	return s->run->exit_reason;
}

#define XCRS_ROW(NAME, ...) \
	SET_ROW(xcrs_##NAME, kvm_xcrs, KVM_SET_XCRS, r.nr_xcrs = 1; r.xcrs[0].value = 1; __VA_ARGS__)

XCRS_ROW(x87)
XCRS_ROW(none, r.nr_xcrs = 0)
XCRS_ROW(seventeen, r.nr_xcrs = 17)
XCRS_ROW(flags, r.flags = 1)
XCRS_ROW(no_x87, r.xcrs[0].value = 2)
XCRS_ROW(avx_without_sse, r.xcrs[0].value = 5)
XCRS_ROW(unknown_feature, r.xcrs[0].value = 1ull << 62 | 1)
XCRS_ROW(other_register, r.xcrs[0].xcr = 1; r.xcrs[0].value = ~0ull)

// SET_XSAVE of what is there with changes; BYTES is the image.
#define XSAVE_ROW(NAME, ...) \
	ROW(xsave_##NAME) { \
		uint8_t *bytes = calloc(1, 4096); \
		if (ioctl(s->vcpu, KVM_GET_XSAVE, bytes)) \
			return -1; \
		__VA_ARGS__; \
		return ioctl(s->vcpu, KVM_SET_XSAVE, bytes); \
	}

XSAVE_ROW(same)
XSAVE_ROW(nothing_in_it, memset(bytes + 512, 0, 64))
XSAVE_ROW(mxcsr_reserved, bytes[512] = 3; memset(bytes + 24, 0xff, 4))
XSAVE_ROW(mxcsr_reserved_unused, memset(bytes + 512, 0, 64); memset(bytes + 24, 0xff, 4))
XSAVE_ROW(all_mxcsr_bits, bytes[512] = 3; bytes[24] = bytes[25] = 0xff; bytes[26] = bytes[27] = 0)
XSAVE_ROW(bit_63, bytes[519] = 0x80)
XSAVE_ROW(mpx, bytes[512] |= 0x18)
XSAVE_ROW(pt, bytes[513] |= 1)
XSAVE_ROW(amx, bytes[514] |= 6)
XSAVE_ROW(compacted, bytes[527] = 0x80)
XSAVE_ROW(xcomp_bv, bytes[520] = 1)
XSAVE_ROW(header_reserved_first, bytes[528] = 1)
XSAVE_ROW(header_reserved_last, bytes[575] = 1)
XSAVE_ROW(all_ones, memset(bytes, 0xff, 4096))
XSAVE_ROW(ones_in_registers, memset(bytes + 32, 0xff, 480); bytes[512] = 3)

// A word of the image after one of random registers was set and the guest has run.
ROW(xsave_after_run)
{
	uint8_t *bytes = calloc(1, 4096);
	long sum = 0;

	ioctl(s->vcpu, KVM_GET_XSAVE, bytes);
	for (int i = 160; i < 416; i++)
		bytes[i] = (uint8_t)(i * 37);
	bytes[512] |= 2;
	if (ioctl(s->vcpu, KVM_SET_XSAVE, bytes) || ioctl(s->vcpu, KVM_RUN, 0))
		return -1;
	memset(bytes, 0, 4096);
	ioctl(s->vcpu, KVM_GET_XSAVE, bytes);
	for (int i = 160; i < 416; i++)
		sum = (sum * 31 + bytes[i]) & 0xffffff;
	return sum;
}

#define SREGS2_ROW(NAME, ...) \
	ROW(sregs2_##NAME) { \
		struct kvm_sregs2 r; \
		ioctl(s->vcpu, KVM_GET_SREGS2, &r); \
		__VA_ARGS__; \
		return ioctl(s->vcpu, KVM_SET_SREGS2, &r); \
	}

SREGS2_ROW(same)
SREGS2_ROW(unknown_flag, r.flags = 2)
SREGS2_ROW(pdptrs_without_pae, r.flags = 1)
SREGS2_ROW(pdptrs, r.cr0 = 0x80000011; r.cr4 = 0x20; r.flags = 1)
SREGS2_ROW(paging_without_protection, r.cr0 |= 1u << 31)

// PDPTEs with reserved bits are the entry's to refuse: how the run ends.
ROW(run_with_wrong_pdptrs)
{
	struct kvm_sregs2 r;

	ioctl(s->vcpu, KVM_GET_SREGS2, &r);
	r.cr0 = 0x80000011;
	r.cr4 = 0x20;
	r.flags = 1;
	for (int i = 0; i < 4; i++)
		r.pdptrs[i] = ~0ull;
	if (ioctl(s->vcpu, KVM_SET_SREGS2, &r) || ioctl(s->vcpu, KVM_RUN, 0))
		return -1;
	return s->run->exit_reason;
}

static long clock_after(struct setup *s, uint32_t flags, uint64_t realtime)
{
	struct kvm_clock_data data = { .clock = 1ull << 50, .flags = flags, .realtime = realtime };

	if (ioctl(s->vm, KVM_SET_CLOCK, &data) || ioctl(s->vm, KVM_GET_CLOCK, &data))
		return -1;
	// To ten minutes: the lab's clock is coarse when it is loaded.
	return (long)((data.clock - (1ull << 50)) / 600000000000ull);
}

ROW(clock_set) { return clock_after(s, 0, 0); }
ROW(clock_old_flag) { return clock_after(s, 1, 0); }
ROW(clock_unknown_flag) { return clock_after(s, 16, 0); }
ROW(clock_what_get_gave) { return clock_after(s, 2 | 8, 0); }
ROW(clock_from_the_future) { return clock_after(s, 4, ~0ull); }
ROW(clock_with_real_time) { return clock_after(s, 4, 0) > 100; }
ROW(clock_begins_with_the_vm)
{
	struct kvm_clock_data data;

	return ioctl(s->vm, KVM_GET_CLOCK, &data) ? -1 : (long)(data.clock / 600000000000ull);
}
