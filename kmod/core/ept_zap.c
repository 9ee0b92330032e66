// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Mappings are taken out of the EPT. What a processor has cached of them is tlb.c's matter. */
#include "ept_iter.h"
#include "vm.h"

/* Entries looked at before the lock is given up once: some hundred microseconds. */
#define ZAP_BUDGET 16384

static bool table_empty(const u64 *table)
{
	unsigned int i;

	for (i = 0; i < EPT_ENTRIES; i++)
		if (ept_present(plat_load64(&table[i])))
			return false;
	return true;
}

/*
 * The page's first word links the list. It is page-aligned, so a processor that still walks the table reads an entry that is not
 * present, as all the others.
 */
static void discard(struct lkx_hw *hw, struct lkx_ept_garbage *garbage, u64 *table)
{
	plat_entry_store(hw, table, (u64)(unsigned long)garbage->first);
	garbage->first = table;
}

/* Steps up from a table that is done with, and takes it out where it has become empty. False at the root. */
static bool leave_table(struct lkx_vm *vm, struct ept_iter *it, struct lkx_ept_garbage *garbage, bool *took)
{
	u64 *table = it->table[it->level];

	if (!ept_iter_up(it))
		return false;
	if (garbage && table_empty(table)) {
		plat_entry_xchg(vm->hw, it->entry, 0);
		discard(vm->hw, garbage, table);
		vm->ept.tables--;
		plat_tables_add(vm->hw, -1);
		*took = true;
	}
	return true;
}

bool lkx_ept_zap_some(struct lkx_vm *vm, u64 *gfn, u64 end, struct lkx_ept_garbage *garbage)
{
	struct lkx_ept *ept = &vm->ept;
	unsigned int budget = ZAP_BUDGET;
	bool took = false, done = false;
	struct ept_iter it;

	end = min(end, ept->max_gfn + 1);
	if (!ept->root || *gfn >= end)
		return true;
	ept_iter_start(&it, vm->hw, ept->root, *gfn);
	for (;;) {
		u64 e = plat_load64(it.entry);

		if (ept_present(e) && !ept_leaf(e, it.level)) {
			ept_iter_down(&it, e, *gfn);
			continue;
		}
		if (ept_present(e)) {
			/* A large leaf goes as a whole, also where only a part of it is asked for. */
			plat_entry_xchg(vm->hw, it.entry, 0);
			took = true;
		}
		/* To the next entry that was not visited, leaving tables that end here or at `end`. */
		while (!done && (it.gfn + ept_span(it.level) >= end || !ept_iter_right(&it)))
			done = !leave_table(vm, &it, garbage, &took);
		if (done || !--budget)
			break;
	}
	*gfn = done ? end : it.gfn;
	/* An exchange is a full barrier: who sees the count sees the entries gone. */
	if (took)
		plat_store64(&ept->removals, ept->removals + 1);
	return done;
}

void lkx_ept_watch(struct lkx_vm *vm, u64 gfn)
{
	u64 e, seen, bit = vm->caps->pml ? EPT_DIRTY : EPT_WRITE;
	struct lkx_ept *ept = &vm->ept;
	struct ept_iter it;

	if (!ept->root || gfn > ept->max_gfn)
		return;
	ept_iter_start(&it, vm->hw, ept->root, gfn);
	for (;;) {
		e = plat_load64(it.entry);
		if (!ept_present(e))
			return;
		if (ept_leaf(e, it.level))
			break;
		ept_iter_down(&it, e, gfn);
	}
	/* The processor may set A and D in it meanwhile. */
	for (; e & bit; e = seen) {
		seen = plat_entry_cmpxchg(vm->hw, it.entry, e, it.level > 1 ? 0 : e & ~bit);
		if (seen == e) {
			plat_store64(&ept->removals, ept->removals + 1);
			return;
		}
	}
}

void lkx_ept_garbage_free(struct lkx_hw *hw, struct lkx_ept_garbage *garbage)
{
	while (garbage->first) {
		u64 *table = garbage->first;

		garbage->first = (void *)(unsigned long)table[0];
		plat_page_free(hw, table);
	}
}

u64 lkx_ept_reclaim(struct lkx_vm *vm)
{
	struct lkx_ept_garbage garbage = { NULL };
	struct lkx_ept *ept = &vm->ept;
	u64 freed;
	bool owed;

	plat_spin_lock(vm->hw, &ept->lock);
	freed = ept->tables;
	if (lkx_ept_zap_some(vm, &ept->reclaim_gfn, ept->max_gfn + 1, &garbage))
		ept->reclaim_gfn = 0;
	freed -= ept->tables;
	owed = lkx_tlb_owed(vm);
	plat_spin_unlock(vm->hw, &ept->lock);
	if (owed)
		lkx_tlb_flush(vm);
	lkx_ept_garbage_free(vm->hw, &garbage);
	return freed;
}
