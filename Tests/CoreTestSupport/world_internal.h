/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef WORLD_INTERNAL_H
#define WORLD_INTERNAL_H

#include "hw.h"
#include "world.h"

extern const struct hw_ops world_processor;  /* world_processor.c */
extern const struct plat_ops world_platform; /* world_platform.c */

u64 world_new_frame(struct world *w);
/* Counts what guests that run now still reach though the host took it back. */
void world_check_stale(struct world *w);
/* The vCPU leaves guest mode, if it was in it. */
void world_leave(struct world *w, u32 index);

/* world_watch.c */
void world_record(struct world *w);
void world_cpu_event(struct world *w, enum history_kind kind, u32 cpu);

/* world_platform.c: nothing that may wait is done with ept.lock held; a warning otherwise. */
void world_must_be_unlocked(struct world *w, const char *what);

/* world_user.c */
int world_user_read(struct lkx_hw *hw, void *to, u64 hva, size_t len);
int world_user_write(struct lkx_hw *hw, u64 hva, const void *from, size_t len);
int world_user_cmpxchg(struct lkx_hw *hw, u64 hva, unsigned int size, u64 old, u64 new_value);

#endif
