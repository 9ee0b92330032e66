/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Everything that happens to the page tables of a world, in order: what a test replays to see each state that a processor could have met.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "plat.h"

enum history_kind {
	HISTORY_ALLOCATED, /* page: zeroed */
	HISTORY_FREED,     /* page */
	HISTORY_WRITTEN,   /* page, index, from, to, locked */
	HISTORY_INVEPT,    /* cpu */
	HISTORY_ENTERED,   /* cpu: a guest runs there, after what VM entry flushed */
	HISTORY_LEFT,      /* cpu */
	HISTORY_MARK,      /* the test's own */
};

struct history_event {
	enum history_kind kind;
	u32 cpu;
	u64 page;  /* its physical address */
	u32 index; /* of the entry */
	bool locked; /* ept.lock was held */
	u64 from, to;
};

struct history {
	struct history_event *event;
	u64 count, room;
};

/* abort() where memory runs out. */
void history_add(struct history *h, struct history_event event);
void history_free(struct history *h);

#endif
