// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The guest's memory follows the VMM's: a page is mapped when the guest touches it and taken away when the host takes it from the VMM.
 *
 * With it are mapped the pages near it that the host has present anyway. Whether the guest will touch them nobody knows, so that costs the host
 * nothing that it would notice: they are not faulted in, no reference is taken, no sharing is broken, and a page is writable only where the
 * host takes it for written already. (Host's dirty bits are cleared only behind an invalidation, which takes the page away here, too.)
 *
 * What the host maps by one entry, 2 MiB or 1 GiB, is so mapped here where it fits: then what holds of the page holds of all around it. The host
 * changes nothing in it without an invalidation, which takes all of it away, whatever part it names; the next fault finds what the host has then.
 */
#include "dirty.h"
#include "ept_iter.h"
#include "vcpu.h"

/* Is this still the slot that holds the gfn? Called with ept.lock held, under which slots change. */
static bool slot_current(struct lkx_vm *vm, u64 gfn, const struct lkx_memslot *slot)
{
	struct lkx_memslot now;

	return lkx_memslot_find(vm, gfn, &now) && now.base_gfn == slot->base_gfn && now.npages == slot->npages &&
	       now.hva == slot->hva && now.flags == slot->flags;
}

/* Pages that are mapped together, aligned: as many as the host itself takes at once of a file. */
#define NEAR_PAGES 16

struct near_pages {
	u64 gfn, hva;
	u32 count;
	int level; /* of the host's entry that maps them */
	u64 page[NEAR_PAGES];
};

/* Never beyond the slot; and, as they are aligned, within one table of level 1. */
static void find_near(struct lkx_vm *vm, const struct lkx_memslot *slot, u64 gfn, struct near_pages *near)
{
	u64 end = min((gfn | (NEAR_PAGES - 1)) + 1, slot->base_gfn + slot->npages);

	near->gfn = max(gfn & ~(u64)(NEAR_PAGES - 1), slot->base_gfn);
	near->hva = slot->hva + ((near->gfn - slot->base_gfn) << LKX_PAGE_SHIFT);
	near->count = end - near->gfn;
	near->level = plat_pages_near(vm, near->hva, near->count, near->page);
}

/* What is mapped by one entry: a page, or all of what the host has as one. */
struct piece {
	u64 gfn, hva, pfn, bytes;
	int level;
};

/*
 * May `piece`, a page of `slot`, become one of `level`? As a whole it must lie in the slot, and at the same place among the guest's frames, the VMM's
 * addresses and the host's frames.
 */
static bool fits(const struct piece *piece, const struct lkx_memslot *slot, int level)
{
	u64 in = ept_span(level) - 1, offset = piece->gfn & in;

	return ((piece->hva >> LKX_PAGE_SHIFT) & in) == offset && (piece->pfn & in) == offset &&
	       piece->gfn - slot->base_gfn >= offset && piece->gfn - offset + in < slot->base_gfn + slot->npages;
}

/*
 * Makes a page the largest piece that host, slot and processor allow. Where fetching from large pages is dangerous, what the guest executes is of
 * small ones, and stays so: else data and code in one piece would take turns.
 */
static void widen_piece(struct lkx_vm *vm, struct piece *piece, const struct lkx_memslot *slot, int level, bool fetch, u64 *access)
{
	const struct lkx_vmx_caps *caps = vm->caps;
	u64 offset;

	/* What is logged, is by the page. */
	if (slot->flags & KVM_MEM_LOG_DIRTY_PAGES)
		return;
	level = min_t(int, level, caps->ept_level);
	if (caps->large_no_execute)
		level = fetch ? 1 : lkx_ept_room(vm, piece->gfn, level);
	while (level > 1 && !fits(piece, slot, level))
		level--;
	if (level < 2)
		return;
	if (caps->large_no_execute)
		*access &= ~EPT_EXECUTE;
	offset = piece->gfn & (ept_span(level) - 1);
	piece->gfn -= offset;
	piece->pfn -= offset;
	piece->hva -= offset << LKX_PAGE_SHIFT;
	piece->bytes = ept_span(level) << LKX_PAGE_SHIFT;
	piece->level = level;
}

int lkx_tdp_map(struct lkx_vcpu *v, u64 gpa, u64 qualification, const struct lkx_memslot *slot)
{
	bool write = qualification & EPT_VIOLATION_WRITE, readonly = slot->flags & KVM_MEM_READONLY;
	struct piece piece = { .gfn = gpa >> LKX_PAGE_SHIFT, .bytes = LKX_PAGE_BYTES, .level = 1 };
	u64 access = EPT_READ | EPT_EXECUTE, seq;
	struct lkx_ept_garbage garbage = { NULL };
	bool replaced = false, stale;
	struct lkx_vm *vm = v->vm;
	struct near_pages near;
	struct plat_page page;
	int err;

	if (write && readonly)
		return 1;
	err = lkx_ept_cache_fill(vm->hw, &v->ept_cache);
	if (err)
		return err;

	piece.hva = slot->hva + ((piece.gfn - slot->base_gfn) << LKX_PAGE_SHIFT);
	seq = plat_mmu_begin(vm);
	err = plat_page_get(vm, piece.hva, write, !readonly, &page);
	if (err)
		return err;
	piece.pfn = page.pfn;
	if (page.writable && (write || !slot->unwritable))
		access |= EPT_WRITE;
	find_near(vm, slot, piece.gfn, &near);
	if (near.level > 1)
		widen_piece(vm, &piece, slot, near.level, qualification & EPT_VIOLATION_FETCH, &access);

	plat_spin_lock(vm->hw, &vm->ept.lock);
	stale = !slot_current(vm, piece.gfn, slot) || plat_mmu_retry(vm, seq, piece.hva, piece.bytes);
	if (!stale) {
		/* Where the processor logs writes, it is yet to see this one. */
		if (write && slot->unwritable)
			lkx_dirty_set(vm, piece.gfn);
		replaced = lkx_ept_map(vm, &v->ept_cache, piece.gfn, piece.pfn, piece.level, access, &garbage);
	}
	if (!stale && piece.level == 1 && !plat_mmu_retry(vm, seq, near.hva, near.count << LKX_PAGE_SHIFT))
		lkx_ept_map_near(vm, near.gfn, near.page, near.count,
				 slot->unwritable ? EPT_READ | EPT_EXECUTE : EPT_RWX);
	plat_spin_unlock(vm->hw, &vm->ept.lock);

	if (replaced)
		lkx_tlb_flush(vm);
	lkx_ept_garbage_free(vm->hw, &garbage);
	plat_page_put(vm, &page, !stale && (access & EPT_WRITE));
	if (stale)
		return -EAGAIN;
	plat_trace_fault(v, gpa, qualification, lkx_ept_leaf(piece.pfn, piece.level, access));
	plat_debug(vm->hw, "likex: tdp_map level %d gfn %#llx spte %#llx\n", piece.level, piece.gfn,
		   lkx_ept_leaf(piece.pfn, piece.level, access));
	return 0;
}

/* The frames that a slot has in the hva range; false where there are none. */
static bool frames_in(const struct lkx_memslot *slot, u64 start, u64 end, u64 *gfn, u64 *gfn_end)
{
	start = max(start, slot->hva);
	end = min(end, slot->hva + (slot->npages << LKX_PAGE_SHIFT));
	*gfn = slot->base_gfn + ((start - slot->hva) >> LKX_PAGE_SHIFT);
	*gfn_end = slot->base_gfn + ((end - slot->hva + LKX_PAGE_BYTES - 1) >> LKX_PAGE_SHIFT);
	return start < end;
}

/*
 * Takes away what `slot` maps of the hva range. Called with ept.lock held; gives it up now and then, but does not sleep. Nothing
 * is mapped again behind it: plat_mmu_retry refuses addresses of the range until the host is done.
 */
static void zap_hva(struct lkx_vm *vm, const struct lkx_memslot *slot, u64 start, u64 end)
{
	u64 gfn, gfn_end;

	if (!frames_in(slot, start, end, &gfn, &gfn_end))
		return;
	while (!lkx_ept_zap_some(vm, &gfn, gfn_end, NULL)) {
		plat_spin_unlock(vm->hw, &vm->ept.lock);
		plat_spin_lock(vm->hw, &vm->ept.lock);
	}
}

/*
 * The table is loaded once, under the lock. A slot that comes later maps nothing of the range, because its faults take the lock after us
 * and see the invalidation in progress. One that goes later is still in our table; one that went but is not zapped yet is vm->leaving.
 */
void lkx_mmu_invalidate(struct lkx_vm *vm, u64 hva_start, u64 hva_end)
{
	const struct lkx_memslots *slots;
	struct lkx_memslot leaving;
	bool owed;
	u32 i;

	plat_rcu_lock(vm->hw);
	plat_spin_lock(vm->hw, &vm->ept.lock);
	slots = plat_rcu_load(vm->hw, vm->slots);
	leaving = vm->leaving;
	for (i = 0; slots && i < slots->count; i++)
		zap_hva(vm, &slots->slot[i], hva_start, hva_end);
	zap_hva(vm, &leaving, hva_start, hva_end);
	owed = lkx_tlb_owed(vm);
	plat_spin_unlock(vm->hw, &vm->ept.lock);
	if (owed)
		lkx_tlb_flush(vm);
	plat_rcu_unlock(vm->hw);
}

bool lkx_mmu_age(struct lkx_vm *vm, u64 hva_start, u64 hva_end, enum lkx_age what)
{
	const struct lkx_memslots *slots;
	u64 gfn, gfn_end;
	bool young = false;
	u32 i;

	plat_rcu_lock(vm->hw);
	plat_spin_lock(vm->hw, &vm->ept.lock);
	slots = plat_rcu_load(vm->hw, vm->slots);
	for (i = 0; slots && i < slots->count; i++)
		if (frames_in(&slots->slot[i], hva_start, hva_end, &gfn, &gfn_end))
			young |= lkx_ept_age(vm, gfn, gfn_end, what != LKX_AGE_TEST);
	plat_spin_unlock(vm->hw, &vm->ept.lock);
	plat_rcu_unlock(vm->hw);
	if (!young || what == LKX_AGE_TEST)
		return young;
	/* Without accessed bits the next touch shows by its fault. */
	if (!(vm->ept.eptp & EPTP_ACCESS_DIRTY))
		lkx_mmu_invalidate(vm, hva_start, hva_end);
	else if (what == LKX_AGE_CLEAR_FLUSH)
		lkx_tlb_flush(vm);
	return true;
}
