// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The tree of extended page tables: made, mapped into, looked up, freed. ept_zap.c takes mappings away.
 *
 * The processor reads entries at any time and sets accessed and dirty bits in them, so each is written whole and, where it was present,
 * by an atomic exchange. Nothing else writes without ept.lock.
 */
#include "ept_iter.h"
#include "vm.h"
#include "x86.h"

/* Frames that guest physical addresses reach: CPUID's physical-address width, and no more than the four levels cover. */
static u64 max_gfn(struct lkx_hw *hw)
{
	u32 bits = 36, out[4];

	hw_cpuid(hw, 0x80000000, 0, out);
	if (out[0] >= 0x80000008) {
		hw_cpuid(hw, 0x80000008, 0, out);
		bits = out[0] & 0xff;
	}
	bits = min_t(u32, bits, LKX_PAGE_SHIFT + EPT_INDEX_BITS * EPT_LEVELS);
	return (1ull << (bits - LKX_PAGE_SHIFT)) - 1;
}

int lkx_ept_init(struct lkx_vm *vm, bool access_dirty)
{
	struct lkx_ept *ept = &vm->ept;

	plat_spin_init(vm->hw, &ept->lock);
	ept->root = plat_page_alloc(vm->hw);
	if (!ept->root)
		return -ENOMEM;
	ept->tables = 1;
	ept->max_gfn = max_gfn(vm->hw);
	ept->eptp = plat_phys(vm->hw, ept->root) | EPTP_WB | EPTP_WALK_4 | (access_dirty ? EPTP_ACCESS_DIRTY : 0);
	return 0;
}

/* The tables of a small VM are nearly empty, and most of what its end costs is to look through them. */
#define AT_A_GLANCE 8
static bool all_empty(const u64 *entry)
{
	return !(entry[0] | entry[1] | entry[2] | entry[3] | entry[4] | entry[5] | entry[6] | entry[7]);
}

/* Frees a table and all below it, which no processor walks any more. Calls itself at most EPT_LEVELS deep. */
static void free_table(struct lkx_hw *hw, u64 *table, int level)
{
	unsigned int i;

	for (i = 0; level > 1 && i < EPT_ENTRIES; i++) {
		if (i % AT_A_GLANCE == 0 && all_empty(&table[i]))
			i += AT_A_GLANCE - 1;
		else if (ept_present(table[i]) && !ept_leaf(table[i], level))
			free_table(hw, ept_table_of(hw, table[i]), level - 1);
	}
	plat_page_free(hw, table);
}

void lkx_ept_destroy(struct lkx_vm *vm)
{
	struct lkx_ept *ept = &vm->ept;
	u64 *root;

	plat_spin_lock(vm->hw, &ept->lock);
	root = ept->root;
	/* The root itself is not counted: it cannot be taken away. */
	if (root)
		plat_tables_add(vm->hw, 1 - (s64)ept->tables);
	ept->root = NULL;
	ept->tables = 0;
	plat_spin_unlock(vm->hw, &ept->lock);
	if (root)
		free_table(vm->hw, root, EPT_LEVELS);
	plat_page_free(vm->hw, vm->apic_page);
	vm->apic_page = NULL;
}

int lkx_ept_cache_fill(struct lkx_hw *hw, struct lkx_ept_cache *cache)
{
	while (cache->count < ARRAY_SIZE(cache->page)) {
		void *page = plat_page_alloc(hw);

		if (!page)
			return -ENOMEM;
		cache->page[cache->count++] = page;
	}
	return 0;
}

void lkx_ept_cache_drain(struct lkx_hw *hw, struct lkx_ept_cache *cache)
{
	while (cache->count)
		plat_page_free(hw, cache->page[--cache->count]);
}

/* Hangs an empty table from the cache under the entry: its new value, or 0 when the cache is empty. */
static u64 add_table(struct lkx_vm *vm, struct lkx_ept_cache *cache, u64 *entry)
{
	u64 e;

	if (plat_warn_on(vm->hw, !cache->count))
		return 0;
	e = ept_table_entry(vm->hw, cache->page[--cache->count]);
	/* The page's zeroes before the entry that leads there. */
	plat_wmb();
	plat_entry_store(vm->hw, entry, e);
	vm->ept.tables++;
	plat_tables_add(vm->hw, 1);
	return e;
}

/* Adds permissions to a present entry; the processor may set A and D in it meanwhile. */
static void widen(struct lkx_hw *hw, u64 *entry, u64 old, u64 access)
{
	while ((old & access) != access) {
		u64 seen = plat_entry_cmpxchg(hw, entry, old, old | access);

		if (seen == old)
			return;
		old = seen;
	}
}

/* Something was taken out of the tree: whoever sees the count sees it gone, the exchange being a full barrier. */
static void take_out(struct lkx_vm *vm, u64 *entry, u64 e)
{
	plat_entry_xchg(vm->hw, entry, e);
	plat_store64(&vm->ept.removals, vm->ept.removals + 1);
}

/* Smaller pages than are to come at gfn go, and their tables. True where there were any. */
static bool make_room(struct lkx_vm *vm, u64 gfn, int level, struct lkx_ept_garbage *garbage)
{
	u64 end = gfn + ept_span(level);
	int is;

	lkx_ept_lookup(vm, gfn, &is);
	if (is >= level)
		return false;
	while (!lkx_ept_zap_some(vm, &gfn, end, garbage))
		;
	return true;
}

bool lkx_ept_map(struct lkx_vm *vm, struct lkx_ept_cache *cache, u64 gfn, u64 pfn, int level, u64 access,
		 struct lkx_ept_garbage *garbage)
{
	struct lkx_ept *ept = &vm->ept;
	struct ept_iter it;
	bool replaced;
	u64 e;

	if (plat_warn_on(vm->hw, !ept->root || gfn > ept->max_gfn || (access & ~EPT_RWX) || !(access & EPT_READ)))
		return false;
	replaced = level > 1 && make_room(vm, gfn, level, garbage);
	ept_iter_start(&it, vm->hw, ept->root, gfn);
	while (it.level > level) {
		e = plat_load64(it.entry);
		if (e & EPT_LARGE) {
			take_out(vm, it.entry, 0);
			replaced = true;
			e = 0;
		}
		if (!ept_present(e))
			e = add_table(vm, cache, it.entry);
		if (!e)
			return replaced;
		ept_iter_down(&it, e, gfn);
	}
	e = plat_load64(it.entry);
	if (!ept_present(e)) {
		plat_entry_store(vm->hw, it.entry, lkx_ept_leaf(pfn, level, access));
		return replaced;
	}
	if ((e & EPT_ADDRESS) == pfn << LKX_PAGE_SHIFT) {
		widen(vm->hw, it.entry, e, access);
		return replaced;
	}
	take_out(vm, it.entry, lkx_ept_leaf(pfn, level, access));
	return true;
}

/* Does a table lead to any page? Its own level: that of its entries. */
static bool maps_any(struct lkx_hw *hw, const u64 *table, int level)
{
	unsigned int i;

	for (i = 0; i < EPT_ENTRIES; i++) {
		u64 e = plat_load64(&table[i]);

		if (ept_present(e) && (ept_leaf(e, level) || maps_any(hw, ept_table_of(hw, e), level - 1)))
			return true;
	}
	return false;
}

int lkx_ept_room(struct lkx_vm *vm, u64 gfn, int level)
{
	struct ept_iter it;

	plat_spin_lock(vm->hw, &vm->ept.lock);
	ept_iter_start(&it, vm->hw, vm->ept.root, gfn);
	while (it.level > 1) {
		u64 e = plat_load64(it.entry);

		if (!ept_present(e) || ept_leaf(e, it.level) ||
		    (it.level <= level && !maps_any(vm->hw, ept_table_of(vm->hw, e), it.level - 1)))
			break;
		ept_iter_down(&it, e, gfn);
	}
	plat_spin_unlock(vm->hw, &vm->ept.lock);
	return min(level, it.level);
}

void lkx_ept_map_near(struct lkx_vm *vm, u64 gfn, const u64 *page, u32 count, u64 access)
{
	struct ept_iter it;
	u32 i;

	if (plat_warn_on(vm->hw, !vm->ept.root || gfn / EPT_ENTRIES != (gfn + count - 1) / EPT_ENTRIES))
		return;
	ept_iter_start(&it, vm->hw, vm->ept.root, gfn);
	while (it.level > 1) {
		u64 e = plat_load64(it.entry);

		if (!ept_present(e) || ept_leaf(e, it.level))
			return;
		ept_iter_down(&it, e, gfn);
	}
	for (i = 0; i < count; i++) {
		u64 allowed = page[i] & PLAT_NEAR_WRITABLE ? access : access & ~EPT_WRITE;

		if ((page[i] & PLAT_NEAR_PRESENT) && !ept_present(plat_load64(&it.entry[i])))
			plat_entry_store(vm->hw, &it.entry[i], lkx_ept_leaf(page[i] >> LKX_PAGE_SHIFT, 1, allowed));
	}
}

u64 lkx_ept_lookup(struct lkx_vm *vm, u64 gfn, int *level)
{
	struct ept_iter it;
	u64 e;

	*level = EPT_LEVELS;
	if (!vm->ept.root || gfn > vm->ept.max_gfn)
		return 0;
	ept_iter_start(&it, vm->hw, vm->ept.root, gfn);
	for (;;) {
		e = plat_load64(it.entry);
		*level = it.level;
		if (!ept_present(e) || ept_leaf(e, it.level))
			return e;
		ept_iter_down(&it, e, gfn);
	}
}
