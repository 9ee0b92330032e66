// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "pml.h"
#include "world_internal.h"
#include <stdlib.h>

static void *allocate(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (!p)
		abort();
	return p;
}

struct world *world_create(bool access_dirty, bool invept_single, bool recorded)
{
	struct world *w = allocate(1, sizeof(*w));
	u32 i;

	w->cpu = allocate(WORLD_CPUS, sizeof(*w->cpu));
	w->page = allocate(WORLD_PAGES, sizeof(*w->page));
	w->free = allocate(WORLD_FRAMES, sizeof(*w->free));
	w->hw.processor = &world_processor;
	w->hw.platform = &world_platform;
	w->hw.allocations_left = -1;
	w->caps.invept_single = invept_single;
	w->caps.ept_level = 3;
	w->large_level = 2;
	w->vm.hw = &w->hw;
	w->vm.caps = &w->caps;
	if (recorded)
		world_record(w);
	if (lkx_ept_init(&w->vm, access_dirty))
		abort();
	for (i = 0; i < WORLD_VCPUS; i++) {
		w->vcpu[i].hw = &w->hw;
		w->vcpu[i].vm = &w->vm;
		w->vcpu[i].vpid = i + 1;
		w->vcpu[i].tlb_generation = LKX_TLB_STALE;
		w->on[i] = i;
	}
	return w;
}

void world_log_modified(struct world *w)
{
	u32 i;

	w->caps.pml = true;
	for (i = 0; i < WORLD_VCPUS; i++) {
		w->current_vcpu = i;
		if (lkx_pml_create(&w->vcpu[i]))
			abort();
		lkx_vm_add_vcpu(&w->vm, &w->vcpu[i]);
	}
}

u64 world_destroy(struct world *w)
{
	u64 left;
	u32 i;

	for (i = 0; i < WORLD_VCPUS; i++)
		lkx_ept_cache_drain(&w->hw, &w->vcpu[i].ept_cache);
	for (i = 0; i < WORLD_VCPUS; i++)
		plat_page_free(&w->hw, w->vcpu[i].pml);
	lkx_ept_destroy(&w->vm);
	lkx_memslots_destroy(&w->vm);
	/* The host may be late. */
	lkx_mmu_invalidate(&w->vm, 0, ~0ull);
	left = w->hw.pages + w->hw.objects + (w->hw.tables != 0);
	history_free(&w->history);
	free(w->cpu);
	free(w->page);
	free(w->free);
	free(w);
	return left;
}

int world_set_region(struct world *w, u32 slot, u32 flags, u64 gpa, u64 bytes, u64 hva)
{
	struct kvm_userspace_memory_region r = { slot, flags, gpa, bytes, hva };
	int err = lkx_memslot_check(&w->vm, &r);

	return err ? err : lkx_memslot_apply(&w->vm, &r);
}

u64 world_new_frame(struct world *w)
{
	if (w->frames == WORLD_FRAMES)
		abort();
	return w->frames++;
}

void world_invalidate_begin(struct world *w, u64 first, u64 count)
{
	u64 start = WORLD_HVA + first * 4096, end = start + count * 4096;

	w->start = w->in_progress ? min(w->start, start) : start;
	w->end = w->in_progress ? max(w->end, end) : end;
	w->in_progress++;
	lkx_mmu_invalidate(&w->vm, start, end);
}

void world_invalidate_end(struct world *w)
{
	w->sequence++;
	w->in_progress--;
}

/* A part that changes ends the large page, whose other frames stay where they are. */
static void split(struct world *w, u64 page)
{
	u64 i;

	for (i = 0; i < WORLD_LARGE; i++)
		w->page[page / WORLD_LARGE * WORLD_LARGE + i].large = false;
}

void world_host_set(struct world *w, u64 first, u64 count, enum world_page_state state)
{
	u64 i;

	if (first >= WORLD_PAGES || count > WORLD_PAGES - first)
		abort();
	world_invalidate_begin(w, first, count);
	for (i = first; i < first + count; i++) {
		struct world_page *p = &w->page[i];
		bool had = p->state != WORLD_LAZY && p->state != WORLD_GONE;
		bool has = state != WORLD_LAZY && state != WORLD_GONE, keeps = had && state == WORLD_COW;

		if (had && !keeps)
			w->free[p->pfn] = true;
		if (has && !keeps)
			p->pfn = world_new_frame(w);
		p->state = state;
		split(w, i);
	}
	world_check_stale(w);
	world_invalidate_end(w);
}

void world_host_collapse(struct world *w, u64 first, enum world_page_state state)
{
	u64 i;

	if (first % WORLD_LARGE || first >= WORLD_PAGES)
		abort();
	world_invalidate_begin(w, first, WORLD_LARGE);
	while (w->frames % WORLD_LARGE)
		world_new_frame(w);
	for (i = first; i < first + WORLD_LARGE; i++) {
		struct world_page *p = &w->page[i];

		if (p->state != WORLD_LAZY && p->state != WORLD_GONE)
			w->free[p->pfn] = true;
		*p = (struct world_page){ state, world_new_frame(w), true };
	}
	world_check_stale(w);
	world_invalidate_end(w);
}

void world_move(struct world *w, u32 index, u32 cpu)
{
	world_leave(w, index);
	w->vcpu[index].tlb_generation = LKX_TLB_STALE;
	w->on[index] = cpu;
}

bool world_map(struct world *w, u64 gfn, u64 pfn, u64 access)
{
	return world_map_large(w, gfn, pfn, 1, access);
}

bool world_map_large(struct world *w, u64 gfn, u64 pfn, int level, u64 access)
{
	struct lkx_ept_garbage garbage = { NULL };
	bool replaced;

	if (lkx_ept_cache_fill(&w->hw, &w->vcpu[0].ept_cache))
		abort();
	plat_spin_lock(&w->hw, &w->vm.ept.lock);
	replaced = lkx_ept_map(&w->vm, &w->vcpu[0].ept_cache, gfn, pfn, level, access, &garbage);
	plat_spin_unlock(&w->hw, &w->vm.ept.lock);
	/* Else the flush is the caller's. */
	if (garbage.first)
		lkx_tlb_flush(&w->vm);
	lkx_ept_garbage_free(&w->hw, &garbage);
	return replaced;
}

bool world_zap(struct world *w, u64 gfn, u64 npages, bool keep_tables)
{
	u64 end = gfn + npages < gfn ? ~0ull : gfn + npages;
	struct lkx_ept_garbage garbage = { NULL };
	bool took, done;

	do {
		plat_spin_lock(&w->hw, &w->vm.ept.lock);
		done = lkx_ept_zap_some(&w->vm, &gfn, end, keep_tables ? NULL : &garbage);
		took = lkx_tlb_owed(&w->vm);
		plat_spin_unlock(&w->hw, &w->vm.ept.lock);
	} while (!done);
	if (took)
		lkx_tlb_flush(&w->vm);
	lkx_ept_garbage_free(&w->hw, &garbage);
	return took;
}

u64 world_lookup(struct world *w, u64 gfn, int *level)
{
	u64 e;

	plat_spin_lock(&w->hw, &w->vm.ept.lock);
	e = lkx_ept_lookup(&w->vm, gfn, level);
	plat_spin_unlock(&w->hw, &w->vm.ept.lock);
	return e;
}
