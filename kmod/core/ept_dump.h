/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* An EPT read out record by record, for people: debugfs in the kernel, `likex ept` on the simulator. */
#ifndef LKX_EPT_DUMP_H
#define LKX_EPT_DUMP_H

#include "ept.h"

/* Where a reader stands: the entry of a table of `level` that covers `gfn` is the next to be looked at. */
struct lkx_ept_cursor {
	u64 gfn;
	int level; /* EPT_LEVELS down to 1; 0: at the end */
};

/* One present entry, or a run of leaves of one table that are alike but for their addresses. */
struct lkx_ept_record {
	u64 gpa;   /* the first address that it maps */
	u64 bits;  /* of the entry, but for its address: nobody learns where the host keeps anything */
	u32 count; /* entries: 1 where they name a table */
	u32 level; /* of the table that they are in */
	bool leaf;
};

static inline struct lkx_ept_cursor lkx_ept_first(void)
{
	return (struct lkx_ept_cursor){ .gfn = 0, .level = EPT_LEVELS };
}

/*
 * The next record from the cursor on, which moves past it; false at the end, or when the tree is gone. Called with ept.lock held. Looks at some
 * 2,500 entries at most, so that a reader may give the lock up after each record: in a tree that changes meanwhile each record was
 * true at its time, and addresses never go back. A table comes before what is in it.
 */
bool lkx_ept_next(struct lkx_vm *vm, struct lkx_ept_cursor *cursor, struct lkx_ept_record *record);

#endif
