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
