/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The watch over one address space, shared by all of its VMs. Only mm.c uses it. */
#ifndef LKX_LINUX_MM_H
#define LKX_LINUX_MM_H

#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>

/* [M] `lock`  [m] written under it, read without: plat_mmu_retry says why that is enough */
struct lkx_mm {
	struct mmu_notifier notifier; /* counts its VMs as users */
	spinlock_t lock;              /* may be taken with nothing else held but mmap_lock and what the host holds in a notifier */
	struct list_head vms;         /* [M] of linux_vm.watcher_link, read under RCU */
	unsigned long in_progress;    /* [m] invalidations that have begun and not ended */
	unsigned long start, end;     /* [m] what they cover together; counts while in_progress */
	unsigned long sequence;       /* [m] invalidations that have ended */
};

#endif
