// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What the core does to page tables, written down; and the moments at which a test plays somebody else. */
#include "world_internal.h"

static void page_event(struct lkx_hw *hw, enum history_kind kind, void *page)
{
	history_add(&world_of(hw)->history, (struct history_event){ .kind = kind, .page = plat_phys(hw, page) });
}

static void allocated(struct lkx_hw *hw, void *page)
{
	page_event(hw, HISTORY_ALLOCATED, page);
}

static void freed(struct lkx_hw *hw, void *page)
{
	page_event(hw, HISTORY_FREED, page);
}

/* A processor uses the entry at the very last moment. */
static void writing(struct lkx_hw *hw, u64 *entry)
{
	u64 bits = world_of(hw)->touch;

	if (bits && (plat_load64(entry) & EPT_RWX))
		__atomic_fetch_or(entry, bits, __ATOMIC_SEQ_CST);
}

static void written(struct lkx_hw *hw, u64 *entry, u64 old)
{
	struct world *w = world_of(hw);
	u64 at = plat_phys(hw, entry);

	history_add(&w->history, (struct history_event){
		.kind = HISTORY_WRITTEN,
		.page = at & ~4095ull,
		.index = (at & 4095) / 8,
		.locked = w->vm.ept.lock.taken,
		.from = old,
		.to = plat_load64(entry),
	});
}

static void unlocked(struct lkx_hw *hw, struct plat_spinlock *l)
{
	struct world *w = world_of(hw);
	void (*play)(void *, u32) = w->at_unlock;

	if (l != &w->vm.ept.lock || !play)
		return;
	/* What it does unlocks too. */
	w->at_unlock = NULL;
	play(w->at_unlock_context, w->unlocks++);
	w->at_unlock = play;
}

static const struct plat_watch watch = {
	.allocated = allocated,
	.freed = freed,
	.writing = writing,
	.written = written,
	.unlocked = unlocked,
};

void world_record(struct world *w)
{
	w->hw.watch = &watch;
}

void world_cpu_event(struct world *w, enum history_kind kind, u32 cpu)
{
	if (w->hw.watch)
		history_add(&w->history, (struct history_event){ .kind = kind, .cpu = cpu });
}
