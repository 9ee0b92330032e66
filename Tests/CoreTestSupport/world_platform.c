// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "world_internal.h"
#include <stdio.h>
#include <stdlib.h>

static void play_race(struct world *w, enum world_race *which, u64 index)
{
	enum world_race race = *which;
	struct kvm_userspace_memory_region *r = &w->race_region;

	*which = WORLD_RACE_NONE;
	switch (race) {
	case WORLD_RACE_NONE:
		break;
	case WORLD_RACE_REPLACED:
		world_host_set(w, index, 1, WORLD_PRESENT);
		break;
	case WORLD_RACE_BEGUN:
		world_invalidate_begin(w, index, 1);
		break;
	case WORLD_RACE_SLOT:
		if (world_set_region(w, r->slot, r->flags, r->guest_phys_addr, r->memory_size, r->userspace_addr))
			abort();
		break;
	}
}

void world_must_be_unlocked(struct world *w, const char *what)
{
	if (!w->vm.ept.lock.taken)
		return;
	w->warnings++;
	fprintf(stderr, "%s with ept.lock held\n", what);
}

static int page_get(struct lkx_vm *vm, u64 hva, bool write, bool want_writable, struct plat_page *page)
{
	struct world *w = world_of(vm->hw);
	u64 index = (hva - WORLD_HVA) / 4096;
	struct world_page *p = &w->page[index];

	world_must_be_unlocked(w, "plat_page_get");
	if (hva < WORLD_HVA || index >= WORLD_PAGES || p->state == WORLD_GONE || (write && p->state == WORLD_PROTECTED))
		return -EFAULT;
	if (p->state == WORLD_LAZY)
		*p = (struct world_page){ WORLD_PRESENT, world_new_frame(w), false };
	/* Breaking copy-on-write is itself an invalidation that the core must notice. */
	if (write && p->state == WORLD_COW)
		world_host_set(w, index, 1, WORLD_PRESENT);
	page->pfn = p->pfn;
	page->writable = p->state == WORLD_PRESENT;
	page->ref = page;
	w->references++;
	play_race(w, &w->race, index);
	return 0;
}

static void page_put(struct lkx_vm *vm, struct plat_page *page, bool dirtied)
{
	struct world *w = world_of(vm->hw);

	w->references--;
	w->dirtied += dirtied;
	if (page->ref != page)
		abort();
}

static u64 mmu_begin(struct lkx_vm *vm)
{
	return world_of(vm->hw)->sequence;
}

static bool mmu_retry(struct lkx_vm *vm, u64 seq, u64 hva, u64 size)
{
	struct world *w = world_of(vm->hw);

	if (!w->vm.ept.lock.taken)
		abort();
	if (w->ignore_retry)
		return false;
	return (w->in_progress && hva + size > w->start && hva < w->end) || w->sequence != seq;
}

static int pages_near(struct lkx_vm *vm, u64 hva, u32 count, u64 *near)
{
	u64 last = (hva - WORLD_HVA) / 4096 + count - 1;
	struct world *w = world_of(vm->hw);
	int level;
	u32 i;

	world_must_be_unlocked(w, "plat_pages_near");
	level = last < WORLD_PAGES && w->page[last].large ? w->large_level : 1;
	for (i = 0; i < count && w->near; i++) {
		u64 index = (hva - WORLD_HVA) / 4096 + i;
		const struct world_page *p = index < WORLD_PAGES ? &w->page[index] : NULL;

		if (!p || p->state == WORLD_LAZY || p->state == WORLD_GONE)
			continue;
		near[i] = p->pfn * 4096 | PLAT_NEAR_PRESENT | (p->state == WORLD_PRESENT ? PLAT_NEAR_WRITABLE : 0);
	}
	play_race(w, &w->near_race, w->near_race_page);
	return level;
}

static bool slots_locked(struct lkx_vm *vm)
{
	(void)vm;
	return true;
}

static int run_poll(struct lkx_vcpu *v)
{
	return world_of(v->hw)->signal ? -EINTR : 0;
}

static void kick_guests(struct lkx_vm *vm)
{
	struct world *w = world_of(vm->hw);
	u64 replace = w->replace_at_kick;
	u32 i;

	w->kicks++;
	world_must_be_unlocked(w, "plat_kick_guests");
	w->replace_at_kick = 0;
	if (replace)
		world_host_set(w, replace - 1, 1, WORLD_PRESENT);
	for (i = 0; i < WORLD_VCPUS && !w->ignore_kicks; i++)
		world_leave(w, i);
}

static void warn(struct lkx_hw *hw, const char *condition, const char *file, int line)
{
	world_of(hw)->warnings++;
	fprintf(stderr, "%s:%d: must never hold: %s\n", file, line, condition);
}

const struct plat_ops world_platform = {
	.user_read = world_user_read,
	.user_write = world_user_write,
	.user_cmpxchg = world_user_cmpxchg,
	.page_get = page_get,
	.page_put = page_put,
	.mmu_begin = mmu_begin,
	.mmu_retry = mmu_retry,
	.pages_near = pages_near,
	.slots_locked = slots_locked,
	.kick_guests = kick_guests,
	.run_poll = run_poll,
	.warn = warn,
};
