// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Wrong filters of MSRs, and wrong reasons to ask user space about them.
#include "rows.h"

#include <string.h>

ROW(msr_filter_null) { return ioctl(s->vm, KVM_X86_SET_MSR_FILTER, 0); }
ROW(msr_filter_kernel_address) { return ioctl(s->vm, KVM_X86_SET_MSR_FILTER, KERNEL_ADDRESS); }
ROW(msr_filter_cut_off) { return ioctl(s->vm, KVM_X86_SET_MSR_FILTER, before_closed_page(100)); }
ROW(msr_filter_on_vcpu) { return ioctl(s->vcpu, KVM_X86_SET_MSR_FILTER, 0) ? 1 : 0; }

// A filter of one range, its bitmap of zeroes in the memory of the VM or elsewhere.
#define FILTER_ROW(NAME, ...) \
	ROW(msr_filter_##NAME) { \
		struct kvm_msr_filter f = { .ranges = { { KVM_MSR_FILTER_READ, 1, 0x10, s->memory } } }; \
		struct kvm_msr_filter_range *r __attribute__((unused)) = f.ranges; \
		__VA_ARGS__; \
		return ioctl(s->vm, KVM_X86_SET_MSR_FILTER, &f); \
	}

FILTER_ROW(one, )
FILTER_ROW(nothing, r->nmsrs = 0)
FILTER_ROW(nothing_denied, r->nmsrs = 0; f.flags = 1)
FILTER_ROW(unknown_flag, f.flags = 2)
FILTER_ROW(last_flag, f.flags = 1u << 31)
FILTER_ROW(range_of_no_access, r->flags = 0)
FILTER_ROW(range_of_unknown_access, r->flags = 4)
FILTER_ROW(range_of_all_accesses, r->flags = ~0u)
FILTER_ROW(no_msrs_unknown_access, r->flags = 4; r->nmsrs = 0)
FILTER_ROW(largest, r->nmsrs = 0x3000)
FILTER_ROW(too_large, r->nmsrs = 0x3001)
FILTER_ROW(size_wraps, r->nmsrs = ~0u)
FILTER_ROW(base_wraps, r->base = ~0u; r->nmsrs = 0x100)
FILTER_ROW(bitmap_null, r->bitmap = NULL)
FILTER_ROW(bitmap_of_kernel, r->bitmap = (uint8_t *)KERNEL_ADDRESS)
FILTER_ROW(bitmap_cut_off, r->bitmap = before_closed_page(4))
FILTER_ROW(bitmap_whole_words, r->bitmap = before_closed_page(8); r->nmsrs = 64)
FILTER_ROW(null_where_none_are, r[1].bitmap = NULL)
FILTER_ROW(second_range_wrong, r[1] = r[0]; r[1].flags = 0)
FILTER_ROW(last_range_wrong, r[15] = r[0]; r[15].nmsrs = ~0u)
FILTER_ROW(all_ranges, for (int i = 0; i < 16; i++) { r[i] = r[0]; r[i].nmsrs = 0x3000; })

static long user_space(struct setup *s, uint64_t reasons)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR, .args = { reasons } };

	return ioctl(s->vm, KVM_ENABLE_CAP, &cap);
}

ROW(user_space_msr_none) { return user_space(s, 0); }
ROW(user_space_msr_all) { return user_space(s, 7); }
ROW(user_space_msr_unknown_reason) { return user_space(s, 8); }
ROW(user_space_msr_high_reason) { return user_space(s, 1ull << 32); }
ROW(user_space_msr_far_reason) { return user_space(s, ~0ull); }

// --- MTRRs and machine checks ---

// KVM_SET_MSRS of one: 1, or 0 where it is refused.
static long set_msr(struct setup *s, uint32_t index, uint64_t value)
{
	struct { struct kvm_msrs head; struct kvm_msr_entry entry; } list = { { .nmsrs = 1 }, { .index = index, .data = value } };

	return ioctl(s->vcpu, KVM_SET_MSRS, &list);
}

// KVM_GET_MSRS of one: its value, -1 where it is refused.
static long get_msr(struct setup *s, uint32_t index)
{
	struct { struct kvm_msrs head; struct kvm_msr_entry entry; } list = { { .nmsrs = 1 }, { .index = index } };

	return ioctl(s->vcpu, KVM_GET_MSRS, &list) == 1 ? (long)list.entry.data : -1;
}

ROW(mtrr_cap) { return get_msr(s, 0xfe); }
ROW(mtrr_cap_written) { return set_msr(s, 0xfe, 0x508); }
ROW(mtrr_base) { return set_msr(s, 0x200, 0xc0000006); }
ROW(mtrr_base_type_2) { return set_msr(s, 0x200, 0xc0000002); }
ROW(mtrr_base_reserved) { return set_msr(s, 0x200, 0x100); }
ROW(mtrr_base_too_high) { return set_msr(s, 0x200, 1ull << 52); }
ROW(mtrr_mask) { return set_msr(s, 0x20f, 0xc0000800); }
ROW(mtrr_mask_reserved) { return set_msr(s, 0x20f, 0x400); }
ROW(mtrr_mask_too_high) { return set_msr(s, 0x20f, 1ull << 63); }
ROW(mtrr_ninth) { return set_msr(s, 0x210, 0); }
ROW(mtrr_fixed) { return set_msr(s, 0x268, 0x0605040100060606); }
ROW(mtrr_fixed_type_7) { return set_msr(s, 0x268, 0x0700000000000000); }
ROW(mtrr_fixed_none) { return set_msr(s, 0x251, 0); }
ROW(feature_control) { return get_msr(s, 0x3a); }
ROW(feature_control_lock) { return set_msr(s, 0x3a, 1) ? get_msr(s, 0x3a) : -1; }
ROW(feature_control_open_again) { return set_msr(s, 0x3a, 1) ? set_msr(s, 0x3a, 0) : -1; }
ROW(feature_control_vmx) { return set_msr(s, 0x3a, 5); }
ROW(feature_control_reserved) { return set_msr(s, 0x3a, 1ull << 63); }

// Banks, and MCG_CTL where IA32_MCG_CAP says that there is one.
static long setup_mce(struct setup *s, uint64_t cap) { return ioctl(s->vcpu, KVM_X86_SETUP_MCE, &cap); }
#define CTL_P 0x100
#define SER_P (1ull << 24)

ROW(mce_supported_null) { return ioctl(s->system, KVM_X86_GET_MCE_CAP_SUPPORTED, 0); }
ROW(mce_supported_readonly) { return ioctl(s->system, KVM_X86_GET_MCE_CAP_SUPPORTED, readonly_page()); }
ROW(mce_supported_cut_off) { return ioctl(s->system, KVM_X86_GET_MCE_CAP_SUPPORTED, before_closed_page(4)); }
ROW(mce_supported)
{
	uint64_t cap = 0;

	return ioctl(s->system, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap) ? -1 : (cap & (CTL_P | SER_P)) == (CTL_P | SER_P);
}
ROW(mce_banks) { return ioctl(s->system, KVM_CHECK_EXTENSION, KVM_CAP_MCE); }
ROW(mce_setup_null) { return ioctl(s->vcpu, KVM_X86_SETUP_MCE, 0); }
ROW(mce_setup_no_bank) { return setup_mce(s, CTL_P); }
ROW(mce_setup_one) { return setup_mce(s, 1) ? -1 : get_msr(s, 0x179); }
ROW(mce_setup_all) { return setup_mce(s, CTL_P | SER_P | 32) ? -1 : get_msr(s, 0x179); }
ROW(mce_setup_twice) { return setup_mce(s, 32) ? -1 : setup_mce(s, CTL_P | 10); }
ROW(mce_setup_33) { return setup_mce(s, 33); }
ROW(mce_setup_255) { return setup_mce(s, 255); }
ROW(mce_setup_extended) { return setup_mce(s, 0xff0000 | 1); }
ROW(mce_setup_unknown) { return setup_mce(s, 1ull << 63 | 1); }
ROW(mce_ctl_without) { return setup_mce(s, 10) ? -1 : set_msr(s, 0x17b, ~0ull); }
ROW(mce_ctl_zero_without) { return setup_mce(s, 10) ? -1 : set_msr(s, 0x17b, 0); }
ROW(mce_ctl) { return setup_mce(s, CTL_P | 10) ? -1 : set_msr(s, 0x17b, ~0ull); }
ROW(mce_ctl_some) { return setup_mce(s, CTL_P | 10) ? -1 : set_msr(s, 0x17b, 1); }
ROW(mce_ctl_at_first) { return setup_mce(s, CTL_P | 10) ? -1 : get_msr(s, 0x17b) == -1; }
ROW(mce_bank_ctl_some) { return setup_mce(s, 10) ? -1 : set_msr(s, 0x400, 2); }
ROW(mce_bank_ctl_nearly_all) { return setup_mce(s, 10) ? -1 : set_msr(s, 0x410, ~0x400ull); }
ROW(mce_bank_status) { return setup_mce(s, 10) || set_msr(s, 0x401, 77) != 1 ? -1 : get_msr(s, 0x401); }
ROW(mce_bank_last) { return setup_mce(s, 10) ? -1 : set_msr(s, 0x427, 1); }
ROW(mce_bank_past_the_last) { return setup_mce(s, 10) ? -1 : set_msr(s, 0x428, 0); }

// An error in a bank of ten: what SET_MCE gives, then what the bank says in its upper four bits, and 100 where the vCPU has an exception.
static long error(struct setup *s, uint8_t bank, uint64_t status)
{
	struct kvm_x86_mce mce = { .status = status, .bank = bank, .mcg_status = status >> 57 & 1 ? 5 : 0 };
	struct kvm_vcpu_events events;
	long r = ioctl(s->vcpu, KVM_X86_SET_MCE, &mce);

	if (r)
		return r;
	if (ioctl(s->vcpu, KVM_GET_VCPU_EVENTS, &events))
		return -1;
	return (get_msr(s, 0x401 + 4 * bank) >> 60 & 15) + (events.exception.injected && events.exception.nr == 18 ? 100 : 0);
}

#define VALID (1ull << 63)
// Context corrupt; and what asks for no action.
#define UNCORRECTED (1ull << 61 | 1ull << 57)
#define NO_ACTION (1ull << 61)
#define ERROR_ROW(NAME, ...) ROW(mce_##NAME) { setup_mce(s, CTL_P | 10); __VA_ARGS__; }

static void enable_mce(struct setup *s)
{
	struct kvm_sregs sregs;

	if (!ioctl(s->vcpu, KVM_GET_SREGS, &sregs)) {
		sregs.cr4 |= 0x40;
		ioctl(s->vcpu, KVM_SET_SREGS, &sregs);
	}
}

ROW(mce_error_null) { return ioctl(s->vcpu, KVM_X86_SET_MCE, 0); }
ROW(mce_error_cut_off) { return ioctl(s->vcpu, KVM_X86_SET_MCE, before_closed_page(16)); }
ERROR_ROW(error_of_no_bank, return error(s, 10, VALID))
ERROR_ROW(error_of_bank_255, return error(s, 255, VALID))
ERROR_ROW(error_not_valid, return error(s, 0, UNCORRECTED))
ERROR_ROW(error_corrected, return error(s, 9, VALID))
ERROR_ROW(error_corrected_twice, error(s, 9, VALID); return error(s, 9, VALID))
ERROR_ROW(error_uncorrected, enable_mce(s); return error(s, 1, VALID | UNCORRECTED))
ERROR_ROW(error_uncorrected_then_corrected, enable_mce(s); error(s, 1, VALID | UNCORRECTED); return error(s, 1, VALID))
ERROR_ROW(error_corrected_then_uncorrected, enable_mce(s); error(s, 1, VALID); return error(s, 1, VALID | UNCORRECTED))
ERROR_ROW(error_no_action, enable_mce(s); return error(s, 1, VALID | NO_ACTION))
ERROR_ROW(error_corrected_then_no_action, error(s, 1, VALID); return error(s, 1, VALID | NO_ACTION))
ERROR_ROW(error_not_enabled, enable_mce(s); set_msr(s, 0x404, 0); return error(s, 1, VALID | UNCORRECTED))
ERROR_ROW(error_none_enabled, enable_mce(s); set_msr(s, 0x17b, 0); return error(s, 1, VALID | UNCORRECTED))
ERROR_ROW(error_without_exceptions, return error(s, 1, VALID | UNCORRECTED) ? -1 : ioctl(s->vcpu, KVM_RUN, 0) ? -1 : (long)s->run->exit_reason)
ERROR_ROW(error_during_one, enable_mce(s); set_msr(s, 0x17a, 4);
	return error(s, 1, VALID | UNCORRECTED) ? -1 : ioctl(s->vcpu, KVM_RUN, 0) ? -1 : (long)s->run->exit_reason)
