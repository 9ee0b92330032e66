// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The tree in the order of its addresses. Between two records the tree may change in any way, so a cursor holds no pointer: each walk
 * begins at the root again.
 */
#include "ept_dump.h"
#include "ept_iter.h"
#include "vm.h"
#include "x86.h"

static bool at_end(const struct lkx_ept_cursor *cursor)
{
	return cursor->level < 1 || cursor->level > EPT_LEVELS || cursor->gfn >= ept_span(EPT_LEVELS + 1);
}

/* The cursor moves on to frame `gfn`, up to the highest table that begins an entry there: where a table ends, its parent goes on. */
static void move_to(struct lkx_ept_cursor *cursor, u64 gfn, int level)
{
	while (level < EPT_LEVELS && !(gfn % ept_span(level + 1)))
		level++;
	cursor->gfn = gfn;
	cursor->level = gfn < ept_span(EPT_LEVELS + 1) ? level : 0;
}

/*
 * On the cursor's entry. Where a table on the way has gone meanwhile, or a large page has come, the iterator stays on that entry,
 * above the cursor's level, and false.
 */
static bool find(struct lkx_vm *vm, const struct lkx_ept_cursor *cursor, struct ept_iter *it)
{
	ept_iter_start(it, vm->hw, vm->ept.root, cursor->gfn);
	while (it->level > cursor->level) {
		u64 e = plat_load64(it->entry);

		if (!ept_present(e) || ept_leaf(e, it->level))
			return false;
		ept_iter_down(it, e, cursor->gfn);
	}
	return true;
}

/* Leaves from the iterator's on that are like it. */
static u32 run_length(struct ept_iter *it, u64 bits)
{
	u32 count = 1;

	while (ept_iter_right(it)) {
		u64 e = plat_load64(it->entry);

		if (!ept_present(e) || !ept_leaf(e, it->level) || (e & ~EPT_ADDRESS) != bits)
			break;
		count++;
	}
	return count;
}

bool lkx_ept_next(struct lkx_vm *vm, struct lkx_ept_cursor *cursor, struct lkx_ept_record *record)
{
	struct ept_iter it;
	u64 e;

	if (!vm->ept.root)
		return false;
	while (!at_end(cursor)) {
		if (!find(vm, cursor, &it)) {
			move_to(cursor, it.gfn + ept_span(it.level), it.level);
			continue;
		}
		do {
			e = plat_load64(it.entry);
		} while (!ept_present(e) && ept_iter_right(&it));
		if (!ept_present(e)) {
			move_to(cursor, it.gfn + ept_span(it.level), it.level);
			continue;
		}
		record->gpa = it.gfn << LKX_PAGE_SHIFT;
		record->bits = e & ~EPT_ADDRESS;
		record->level = it.level;
		record->leaf = ept_leaf(e, it.level);
		record->count = 1;
		if (record->leaf) {
			u64 first = it.gfn;

			record->count = run_length(&it, record->bits);
			move_to(cursor, first + record->count * ept_span(record->level), record->level);
		} else {
			cursor->gfn = it.gfn;
			cursor->level = record->level - 1;
		}
		return true;
	}
	return false;
}
