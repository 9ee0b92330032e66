// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The guest's memory follows the VMM's: a page is mapped when the guest touches it and taken away when the host takes it from the VMM.
 *
 * With it are mapped the pages near it that the host has present anyway. Whether the guest will touch them nobody knows, so that costs the host
 * nothing that it would notice: they are not faulted in, no reference is taken, no sharing is broken, and a page is writable only where the
 * host takes it for written already. (Host's dirty bits are cleared only behind an invalidation, which takes the page away here, too.)
 */
#include "dirty.h"
#include "ept.h"
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
	u64 page[NEAR_PAGES];
};

/* Never beyond the slot; and, as they are aligned, within one table of level 1. */
static void find_near(struct lkx_vm *vm, const struct lkx_memslot *slot, u64 gfn, struct near_pages *near)
{
	u64 end = min((gfn | (NEAR_PAGES - 1)) + 1, slot->base_gfn + slot->npages);

	near->gfn = max(gfn & ~(u64)(NEAR_PAGES - 1), slot->base_gfn);
	near->hva = slot->hva + ((near->gfn - slot->base_gfn) << LKX_PAGE_SHIFT);
	near->count = end - near->gfn;
	plat_pages_near(vm, near->hva, near->count, near->page);
}

int lkx_tdp_map(struct lkx_vcpu *v, u64 gpa, u64 qualification, const struct lkx_memslot *slot)
{
	bool write = qualification & EPT_VIOLATION_WRITE, readonly = slot->flags & KVM_MEM_READONLY;
	u64 gfn = gpa >> LKX_PAGE_SHIFT, hva = slot->hva + ((gfn - slot->base_gfn) << LKX_PAGE_SHIFT);
	u64 access = EPT_READ | EPT_EXECUTE, seq, spte = 0;
	bool replaced = false, stale;
	struct lkx_vm *vm = v->vm;
	struct near_pages near;
	struct plat_page page;
	int level = 0, err;

	if (write && readonly)
		return 1;
	err = lkx_ept_cache_fill(vm->hw, &v->ept_cache);
	if (err)
		return err;

	seq = plat_mmu_begin(vm);
	err = plat_page_get(vm, hva, write, !readonly, &page);
	if (err)
		return err;
	if (page.writable && (write || !(slot->flags & LKX_SLOT_UNWRITABLE)))
		access |= EPT_WRITE;
	find_near(vm, slot, gfn, &near);

	plat_spin_lock(vm->hw, &vm->ept.lock);
	stale = !slot_current(vm, gfn, slot) || plat_mmu_retry(vm, seq, hva, LKX_PAGE_BYTES);
	if (!stale) {
		if (write && (slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
			lkx_dirty_set(vm, gfn);
		replaced = lkx_ept_map(vm, &v->ept_cache, gfn, page.pfn, access);
		spte = lkx_ept_lookup(vm, gfn, &level);
	}
	if (!stale && !plat_mmu_retry(vm, seq, near.hva, near.count << LKX_PAGE_SHIFT))
		lkx_ept_map_near(vm, near.gfn, near.page, near.count,
				 slot->flags & LKX_SLOT_UNWRITABLE ? EPT_READ | EPT_EXECUTE : EPT_RWX);
	plat_spin_unlock(vm->hw, &vm->ept.lock);

	if (replaced)
		lkx_tlb_flush(vm);
	plat_page_put(vm, &page, !stale && (access & EPT_WRITE));
	if (stale)
		return -EAGAIN;
	plat_trace_fault(v, gpa, qualification, spte);
	plat_debug(vm->hw, "likex: tdp_map level %d gfn %#llx spte %#llx\n", level, gfn, spte);
	return 0;
}

/*
 * Takes away what `slot` maps of the hva range. Called with ept.lock held; gives it up now and then, but does not sleep. Nothing
 * is mapped again behind it: plat_mmu_retry refuses addresses of the range until the host is done.
 */
static void zap_hva(struct lkx_vm *vm, const struct lkx_memslot *slot, u64 start, u64 end)
{
	u64 slot_end = slot->hva + (slot->npages << LKX_PAGE_SHIFT), gfn, gfn_end;

	start = max(start, slot->hva);
	end = min(end, slot_end);
	if (start >= end)
		return;
	gfn = slot->base_gfn + ((start - slot->hva) >> LKX_PAGE_SHIFT);
	gfn_end = slot->base_gfn + ((end - slot->hva + LKX_PAGE_BYTES - 1) >> LKX_PAGE_SHIFT);
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
