/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The watch over one address space, shared by all of its VMs. Only mm.c uses it. */
#ifndef LKX_LINUX_MM_H
#define LKX_LINUX_MM_H

#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>

struct linux_vm;

/* [M] `lock`  [m] written under it, read without: plat_mmu_retry says why that is enough  [R] ranges_lock */
struct lkx_mm {
	struct mmu_notifier notifier; /* counts its VMs as users */
	/*
	 * Read while VMs zap, and inside of it ept.lock is taken and CPUs are waited for: so whoever wants it has interrupts on and no ept.lock.
	 */
	rwlock_t ranges_lock;
	struct rb_root_cached ranges; /* [R] of lkx_range.node: the host ranges of the slots of all VMs */
	spinlock_t lock;              /* may be taken with nothing else held but mmap_lock and what the host holds in a notifier */
	unsigned long in_progress;    /* [m] invalidations that have begun and not ended */
	unsigned long start, end;     /* [m] what they cover together; counts while in_progress */
	unsigned long sequence;       /* [m] invalidations that have ended */
};

/* The host range of a slot, from before the slot can be seen until nothing of it is mapped. [I] after that, but for links. */
struct lkx_range {
	struct interval_tree_node node; /* [R] */
	struct linux_vm *vm;
	struct list_head link;          /* in vm->ranges; vm->lock */
	u32 slot;
};

#endif
