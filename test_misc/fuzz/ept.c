// SPDX-License-Identifier: MIT OR GPL-2.0-only
// fuzz: -max_len=64
/*
 * Fuzzes what becomes of the guest's memory. The bytes of the input are operations: faults, slots that come, move and go, a host that takes pages
 * back, mappings and zaps. After each one the EPT must be what a plain table says.
 */
#include "ept_fuzz.h"
#include "dirty.h"
#include "ept.h"

static void access(struct input *in, unsigned int choices)
{
	unsigned int name = input_byte(in) % NAMES;
	bool write = choices & 2, lacks = m.hw.allocations_left >= 0;
	u64 pfn = 0;
	int result;

	m.race = choices & 4;
	result = machine_access(choices & 1, name, write, &pfn);
	m.race = false;
	model_access(name, write, result, pfn, lacks);
}

static void set_slot(struct input *in, unsigned int choices)
{
	static const u64 sizes[] = { 1, 3, 8, 16, 600, 1 << 18, (1 << 27) + 5, 1ull << 28 };
	u8 where = input_byte(in), what = input_byte(in);
	struct kvm_userspace_memory_region r = {
		.slot = choices % SLOTS,
		.flags = (what & 8 ? KVM_MEM_READONLY : 0) | (where & 0x40 ? KVM_MEM_LOG_DIRTY_PAGES : 0),
		.guest_phys_addr = gfn_of(where % NAMES) * 4096,
		.memory_size = sizes[what & 7] * 4096,
		.userspace_addr = HVA + (what >> 4) * 4096,
	};
	u64 gfn = r.guest_phys_addr / 4096;
	struct model_slot *old = &model.slot[r.slot];
	bool lacks = m.hw.allocations_left >= 0;
	int err;

	/* On the areas; where the next is named, a page beside what would fit. */
	if (what >> 4 >= 14)
		r.userspace_addr = HVA + (AREAS_FROM + gfn % LARGE + (what >> 4 == 14)) * 4096;
	/* Moved, as often as not. */
	if (old->npages && (where & 0x80)) {
		r.flags = old->flags ^ (what & 8 ? KVM_MEM_LOG_DIRTY_PAGES : 0);
		r.memory_size = old->npages * 4096;
		r.userspace_addr = old->hva;
		if (what & 4)
			r.guest_phys_addr = old->gfn * 4096;
	}
	/* The model's log is of a slot's first pages. */
	if (r.userspace_addr >= HVA + AREAS_FROM * 4096)
		r.flags &= ~(u32)KVM_MEM_LOG_DIRTY_PAGES;
	err = lkx_memslot_check(&m.vm, &r);
	model_set_slot(&r, err ? err : lkx_memslot_apply(&m.vm, &r), lacks);
}

static void delete_slot(unsigned int choices)
{
	struct kvm_userspace_memory_region r = { .slot = choices % SLOTS, .userspace_addr = HVA };
	bool lacks = m.hw.allocations_left >= 0;
	int err = lkx_memslot_check(&m.vm, &r);

	model_set_slot(&r, err ? err : lkx_memslot_apply(&m.vm, &r), lacks);
}

static void host(struct input *in, unsigned int choices)
{
	unsigned int which = input_byte(in), first = which % PAGES, count = choices & 4 ? 5 : 1;

	if (which >= 0xf0)
		machine_host_set_area(which % AREAS, choices & 3, which & 8);
	else
		machine_host_set(first, min_t(unsigned int, count, PAGES - first), choices & 3);
}

/* The host names bytes, and ranges far larger than what there is. */
static void invalidate(struct input *in)
{
	u64 start = HVA + input_word(in), end = start + 1 + input_word(in);

	if (!(end & 7))
		end = ~0ull;
	lkx_mmu_invalidate(&m.vm, start, end);
	model_drop_hva(start, end);
}

static void map(struct input *in, unsigned int choices)
{
	unsigned int name = input_byte(in) % NAMES;
	u64 pfn = 0x100000 + (choices >> 2), access = EPT_READ | (choices & 3) << 1;
	struct lkx_ept_cache *cache = &m.vcpu[0].ept_cache;
	struct lkx_ept_garbage garbage = { NULL };
	bool replaced, was = model.entry[name].present && (model.entry[name].pfn != pfn || model.entry[name].large);

	if (lkx_ept_cache_fill(&m.hw, cache))
		return;
	plat_spin_lock(&m.hw, &m.vm.ept.lock);
	replaced = lkx_ept_map(&m.vm, cache, gfn_of(name), pfn, 1, access, &garbage);
	plat_spin_unlock(&m.hw, &m.vm.ept.lock);
	CHECK(replaced == was && !garbage.first);
	if (replaced)
		lkx_tlb_flush(&m.vm);
	model_map(name, pfn, access);
}

/* A slot's log, taken as it is read or by hand. */
static void read_log(struct input *in)
{
	u8 what = input_byte(in);
	struct model_slot *slot = &model.slot[what % SLOTS];
	int expected = slot->npages && (slot->flags & KVM_MEM_LOG_DIRTY_PAGES) ? 0 : -ENOENT;
	u64 bitmap[16] = { 0 };
	struct kvm_clear_dirty_log clear = { .slot = what % SLOTS, .num_pages = slot->npages, .dirty_bitmap = bitmap };
	struct kvm_dirty_log log = { .slot = what % SLOTS, .dirty_bitmap = bitmap };
	unsigned int i;

	if (slot->npages > 64 * ARRAY_SIZE(bitmap))
		return;
	m.vm.manual_dirty_log = what & 0x80 ? KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE : 0;
	CHECK(lkx_dirty_get(&m.vm, &log) == expected);
	if (what & 0x80)
		CHECK(lkx_dirty_clear(&m.vm, &clear) == expected);
	if (expected)
		return;
	for (i = 1; i < ARRAY_SIZE(bitmap); i++)
		CHECK(!bitmap[i]);
	model_take_log(slot, bitmap[0]);
}

static void zap(struct input *in, unsigned int choices)
{
	static const u64 sizes[] = { 1, 4, 512, 1 << 18, 1 << 27, 1ull << 36 };
	u64 first = gfn_of(input_byte(in) % NAMES), gfn = first, npages = sizes[choices / 2 % ARRAY_SIZE(sizes)];
	struct lkx_ept_garbage garbage = { NULL };
	bool done, owed;

	do {
		plat_spin_lock(&m.hw, &m.vm.ept.lock);
		done = lkx_ept_zap_some(&m.vm, &gfn, first + npages, choices & 1 ? &garbage : NULL);
		owed = lkx_tlb_owed(&m.vm);
		plat_spin_unlock(&m.hw, &m.vm.ept.lock);
	} while (!done);
	if (owed)
		lkx_tlb_flush(&m.vm);
	lkx_ept_garbage_free(&m.hw, &garbage);
	model_drop(first, npages);
}

/* A vCPU comes to a processor that has old translations. */
static void move(unsigned int choices)
{
	m.vcpu[choices & 1].mode = LKX_OUTSIDE_GUEST;
	m.vcpu[choices & 1].tlb_generation = LKX_TLB_STALE;
}

static void step(struct input *in)
{
	u8 byte = input_byte(in), choices = byte >> 3;

	switch (byte & 7) {
	case 0:
	case 1:
		access(in, choices);
		break;
	case 2:
		set_slot(in, choices);
		break;
	case 3:
		if (choices & 16)
			delete_slot(choices);
		else
			move(choices);
		break;
	case 4:
		host(in, choices);
		break;
	case 5:
		if (choices & 16)
			m.hw.allocations_left = choices & 15 ? (choices & 15) - 1 : -1;
		else
			invalidate(in);
		break;
	case 6:
		map(in, choices);
		break;
	case 7:
		if (choices == 31)
			read_log(in);
		else
			zap(in, choices);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	u8 first = input_byte(&in);
	unsigned int steps = 0;

	model = (struct model){ 0 };
	machine_start(first & 1, first & 2, first & 4 ? 1 : first & 8 ? 2 : 3);
	while (!input_is_empty(&in)) {
		step(&in);
		compare_with_model(steps++ * 7 % NAMES);
	}
	compare_tables();
	machine_end();
	return 0;
}
