// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The dirty log asked for wrongly, and what is in it after a guest's store.
#include "rows.h"

#include <linux/kvm.h>
#include <string.h>

enum { PAGES = MEMORY_SIZE / 0x1000 };

static long enable(struct setup *s, uint32_t flags, uint64_t argument)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .flags = flags, .args = { argument } };

	return ioctl(s->vm, KVM_ENABLE_CAP, &cap);
}

static long set_log(struct setup *s, uint32_t flags)
{
	return set_region(s, 0, flags, 0, MEMORY_SIZE, (uintptr_t)s->memory);
}

static long get(struct setup *s, uint32_t slot, void *bitmap)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	return ioctl(s->vm, KVM_GET_DIRTY_LOG, &log);
}

static long clear(struct setup *s, uint32_t slot, uint64_t first, uint32_t pages, void *bitmap)
{
	struct kvm_clear_dirty_log log = { .slot = slot, .first_page = first, .num_pages = pages, .dirty_bitmap = bitmap };

	return ioctl(s->vm, KVM_CLEAR_DIRTY_LOG, &log);
}

// The log's word, after mov %al, 0x2000; hlt where RUN says so. Without page 0, where the code is: stock KVM may report a page that is read for the
// first time.
static long log_word(struct setup *s, int run)
{
	uint64_t word = 0;

	memcpy(s->memory, (uint8_t[]){ 0xa2, 0x00, 0x20, 0xf4 }, 4);
	if (run && ioctl(s->vcpu, KVM_RUN, 0))
		return -1;
	return get(s, 0, &word) ? -1 : (long)(word & ~1ul);
}

// After the store, and once more.
static long two_logs(struct setup *s)
{
	long first = log_word(s, 1);

	return first << 16 | log_word(s, 0);
}

// The calls that need a log have one.
#define LOGGED(NAME, CALL) ROW(dirty_##NAME) { uint64_t all = ~0ull; (void)all; set_log(s, KVM_MEM_LOG_DIRTY_PAGES); return CALL; }

ROW(dirty_capability) { return ioctl(s->system, KVM_CHECK_EXTENSION, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2); }
ROW(dirty_capability_of_old) { return ioctl(s->system, KVM_CHECK_EXTENSION, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT); }
ROW(dirty_enable_0) { return enable(s, 0, 0); }
ROW(dirty_enable_manual) { return enable(s, 0, 1); }
ROW(dirty_enable_both) { return enable(s, 0, 3); }
ROW(dirty_enable_only_initially_set) { return enable(s, 0, 2); }
ROW(dirty_enable_unknown) { return enable(s, 0, 5); }
ROW(dirty_enable_high) { return enable(s, 0, 1ull << 32 | 1); }
ROW(dirty_enable_flags) { return enable(s, 1, 1); }
ROW(dirty_get_null) { return ioctl(s->vm, KVM_GET_DIRTY_LOG, 0); }
ROW(dirty_get_kernel_address) { return ioctl(s->vm, KVM_GET_DIRTY_LOG, KERNEL_ADDRESS); }
ROW(dirty_get_cut_off) { return ioctl(s->vm, KVM_GET_DIRTY_LOG, before_closed_page(8)); }
ROW(dirty_get_on_vcpu)
{
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = s->memory };

	return ioctl(s->vcpu, KVM_GET_DIRTY_LOG, &log) ? -1 : 0;
}
ROW(dirty_clear_null) { return ioctl(s->vm, KVM_CLEAR_DIRTY_LOG, 0); }
ROW(dirty_clear_cut_off) { return ioctl(s->vm, KVM_CLEAR_DIRTY_LOG, before_closed_page(16)); }
ROW(dirty_clear_without_logging) { return clear(s, 0, 0, PAGES, s->memory); }
ROW(dirty_begins_again) { return set_log(s, KVM_MEM_LOG_DIRTY_PAGES) ? -1 : set_log(s, KVM_MEM_LOG_DIRTY_PAGES); }
LOGGED(get, get(s, 0, &all))
LOGGED(get_no_slot, get(s, 1, &all))
LOGGED(get_slot_too_large, get(s, 0xffff, &all))
LOGGED(get_address_space_2, get(s, 0x20000, &all))
LOGGED(get_slot_all_ones, get(s, 0xffffffff, &all))
LOGGED(get_to_null, get(s, 0, NULL))
LOGGED(get_to_kernel, get(s, 0, (void *)KERNEL_ADDRESS))
LOGGED(get_to_closed_page, get(s, 0, closed_page()))
LOGGED(get_to_readonly_page, get(s, 0, readonly_page()))
LOGGED(get_to_cut_off, get(s, 0, before_closed_page(4)))
LOGGED(get_to_misaligned, get(s, 0, (char *)before_closed_page(16) + 3))
LOGGED(clear, clear(s, 0, 0, PAGES, &all))
LOGGED(clear_nothing, clear(s, 0, 0, 0, NULL))
LOGGED(clear_no_slot, clear(s, 1, 0, PAGES, &all))
LOGGED(clear_slot_too_large, clear(s, 0xffff, 0, PAGES, &all))
LOGGED(clear_address_space_2, clear(s, 0x20000, 0, PAGES, &all))
LOGGED(clear_first_misaligned, clear(s, 0, 1, 1, &all))
LOGGED(clear_first_beyond, clear(s, 0, 64, 0, &all))
LOGGED(clear_first_huge, clear(s, 0, 1ull << 63, 64, &all))
LOGGED(clear_too_few, clear(s, 0, 0, PAGES - 1, &all))
LOGGED(clear_too_many, clear(s, 0, 0, PAGES + 1, &all))
LOGGED(clear_far_too_many, clear(s, 0, 0, ~0u, &all))
LOGGED(clear_from_null, clear(s, 0, 0, PAGES, NULL))
LOGGED(clear_from_kernel, clear(s, 0, 0, PAGES, (void *)KERNEL_ADDRESS))
LOGGED(clear_from_cut_off, clear(s, 0, 0, PAGES, before_closed_page(4)))
LOGGED(store, log_word(s, 1))
LOGGED(store_twice, two_logs(s))
LOGGED(becomes_readonly, set_log(s, KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
LOGGED(ends, set_log(s, 0) ? -1 : get(s, 0, &all))
LOGGED(moves, log_word(s, 1) < 0 ? -1 : set_region(s, 0, KVM_MEM_LOG_DIRTY_PAGES, 0x100000, MEMORY_SIZE, (uintptr_t)s->memory) ? -1 :
       log_word(s, 0))
LOGGED(goes_with_slot, set_region(s, 0, 0, 0, 0, 0) ? -1 : get(s, 0, &all))

ROW(dirty_store_before_it_begins)
{
	memcpy(s->memory, (uint8_t[]){ 0xa2, 0x00, 0x20, 0xf4 }, 4);
	if (ioctl(s->vcpu, KVM_RUN, 0))
		return -1;
	set_log(s, KVM_MEM_LOG_DIRTY_PAGES);
	return log_word(s, 0);
}
ROW(dirty_manual_stays)
{
	enable(s, 0, 1);
	set_log(s, KVM_MEM_LOG_DIRTY_PAGES);
	return two_logs(s);
}
ROW(dirty_manual_all_at_first)
{
	enable(s, 0, 3);
	set_log(s, KVM_MEM_LOG_DIRTY_PAGES);
	return log_word(s, 0);
}
ROW(dirty_manual_cleared)
{
	uint64_t all = ~0ull;

	enable(s, 0, 3);
	set_log(s, KVM_MEM_LOG_DIRTY_PAGES);
	return clear(s, 0, 0, PAGES, &all) ? -1 : log_word(s, 0);
}
ROW(dirty_readonly_slot)
{
	uint64_t word = ~0ull;

	if (set_region(s, 1, KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY, 0x100000, MEMORY_SIZE, (uintptr_t)s->memory))
		return -1;
	return get(s, 1, &word) ? -1 : (long)word;
}
