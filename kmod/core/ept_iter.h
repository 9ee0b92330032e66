/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A walk over an EPT in a few short steps. The iterator stands on one entry: of a table of level 4 (root) to 1. It knows
 * the tables above it. Nothing here knows what the walk is for, nor of which level a leaf is.
 */
#ifndef LKX_EPT_ITER_H
#define LKX_EPT_ITER_H

#include "ept.h"

#define EPT_INDEX_BITS 9
#define EPT_ENTRIES 512
#define EPT_PRESENT EPT_RWX /* any of these: SDM vol. 3, 28.3.2 */

struct ept_iter {
	struct lkx_hw *hw;
	u64 *table[EPT_LEVELS + 1]; /* [level] for level <= EPT_LEVELS down to `level` */
	int level;
	u64 gfn;    /* the first that *entry covers */
	u64 *entry;
};

/* How many frames one entry of a level covers. */
static inline u64 ept_span(int level)
{
	return 1ull << (EPT_INDEX_BITS * (level - 1));
}

static inline bool ept_present(u64 e)
{
	return e & EPT_PRESENT;
}

/* Does a present entry end the walk? */
static inline bool ept_leaf(u64 e, int level)
{
	return level == 1 || (e & EPT_LARGE);
}

static inline u64 ept_table_entry(struct lkx_hw *hw, const void *table)
{
	return plat_phys(hw, table) | EPT_RWX;
}

static inline u64 *ept_table_of(struct lkx_hw *hw, u64 e)
{
	return plat_virt(hw, e & EPT_ADDRESS);
}

static inline void ept_iter_set(struct ept_iter *it, int level, u64 gfn)
{
	it->level = level;
	it->gfn = gfn & ~(ept_span(level) - 1);
	it->entry = &it->table[level][(gfn / ept_span(level)) % EPT_ENTRIES];
}

/* On the root's entry for gfn. */
static inline void ept_iter_start(struct ept_iter *it, struct lkx_hw *hw, u64 *root, u64 gfn)
{
	it->hw = hw;
	it->table[EPT_LEVELS] = root;
	ept_iter_set(it, EPT_LEVELS, gfn);
}

/* From an entry `e` that names a table, into that table: on the entry for gfn, or on the first where gfn lies before it. */
static inline void ept_iter_down(struct ept_iter *it, u64 e, u64 gfn)
{
	u64 first = it->gfn;

	it->table[it->level - 1] = ept_table_of(it->hw, e);
	ept_iter_set(it, it->level - 1, max(first, gfn));
}

/* On the next entry of the same table; false when this is its last. */
static inline bool ept_iter_right(struct ept_iter *it)
{
	u64 next = it->gfn + ept_span(it->level);

	if (!((next / ept_span(it->level)) % EPT_ENTRIES))
		return false;
	it->gfn = next;
	it->entry++;
	return true;
}

/* On the entry that names the table it stands in; false at the root. */
static inline bool ept_iter_up(struct ept_iter *it)
{
	if (it->level == EPT_LEVELS)
		return false;
	ept_iter_set(it, it->level + 1, it->gfn);
	return true;
}

#endif
