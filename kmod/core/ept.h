/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Extended page tables: four levels, leaves of 4 KiB, 2 MiB and 1 GiB, write-back. SDM vol. 3, "The Extended Page Table Mechanism (EPT)". */
#ifndef LKX_EPT_H
#define LKX_EPT_H

#include "plat.h"
#include "x86.h"

struct kvm_pre_fault_memory;
struct lkx_memslot;

#define EPT_LEVELS 4
#define EPT_READ BIT_ULL(0)
#define EPT_WRITE BIT_ULL(1)
#define EPT_EXECUTE BIT_ULL(2)
#define EPT_RWX (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_MEMTYPE_WB (6ull << 3)
#define EPT_IGNORE_PAT BIT_ULL(6)
#define EPT_LARGE BIT_ULL(7)
#define EPT_ACCESSED BIT_ULL(8)
#define EPT_DIRTY BIT_ULL(9)
#define EPT_ADDRESS 0x000ffffffffff000ull

/* Fields of an EPTP. */
#define EPTP_WB 6ull
#define EPTP_WALK_4 (3ull << 3)
#define EPTP_ACCESS_DIRTY BIT_ULL(6)

/* Qualification of an EPT violation. SDM vol. 3, table 28-7. */
#define EPT_VIOLATION_READ BIT(0)
#define EPT_VIOLATION_WRITE BIT(1)
#define EPT_VIOLATION_FETCH BIT(2)
#define EPT_VIOLATION_RWX_SHIFT 3
#define EPT_VIOLATION_GLA_VALID BIT(7)
#define EPT_VIOLATION_GLA_ACCESS BIT(8) /* of the access itself, not of a page walk on its behalf */
#define EPT_VIOLATION_NMI_UNBLOCKING BIT(12)

/* Page-table pages that a mapping may need, allocated before the lock is taken: one less than EPT_LEVELS. */
struct lkx_ept_cache {
	u32 count;
	void *page[EPT_LEVELS - 1];
};

struct lkx_ept {
	struct plat_spinlock lock; /* [E] every entry below root */
	u64 *root;                 /* [E] NULL after lkx_ept_destroy */
	u64 eptp;                  /* [I] */
	u64 max_gfn;               /* [I] the last frame that this processor and four levels can address */
	u64 tables;                /* [E] page-table pages, root included */
	u64 reclaim_gfn;           /* [E] where lkx_ept_reclaim goes on */
	u64 generation;            /* [a] counts what makes old translations wrong: see lkx_tlb_flush */
	/*
	 * Entries are taken away under the lock but flushed after it. Whoever finds nothing left to take away must still wait for the
	 * flush that someone else owes for it: both count here.
	 */
	u64 removals;              /* [a] times that entries were taken away; written under [E] */
	u64 removals_flushed;      /* [a] so many of these no processor has cached any more */
};

/* Makes an empty tree: 0 or -ENOMEM. `access_dirty`: the processor has A/D bits for EPT. */
int lkx_ept_init(struct lkx_vm *vm, bool access_dirty);
/* Frees the tree. No vCPU is left; a late lkx_mmu_invalidate finds nothing. */
void lkx_ept_destroy(struct lkx_vm *vm);

/* Fills the cache: 0 or -ENOMEM. May sleep. */
int lkx_ept_cache_fill(struct lkx_hw *hw, struct lkx_ept_cache *cache);
void lkx_ept_cache_drain(struct lkx_hw *hw, struct lkx_ept_cache *cache);

/* Pages of tables taken out of the tree, held until no processor can walk them. */
struct lkx_ept_garbage {
	void *first;
};

/*
 * The entry of a level that maps a frame. Memory type write-back whatever the guest's PAT says: behind every entry is ordinary memory that the
 * host caches, and no device is ever passed through. A guest that had it uncached would read round the host's caches what the host has not written
 * back.
 */
static inline u64 lkx_ept_leaf(u64 pfn, int level, u64 access)
{
	return (pfn << LKX_PAGE_SHIFT) | EPT_MEMTYPE_WB | EPT_IGNORE_PAT | (level > 1 ? EPT_LARGE : 0) | access;
}

/*
 * Maps gfn to pfn with `access` (EPT_READ|WRITE|EXECUTE) by an entry of `level`, to which both are aligned. Called with ept.lock held and a filled
 * cache. A gfn that has this frame already gains permissions and never loses one: the processor needs no flush for that. True when something else
 * was there, another frame, smaller pages (their tables go to `garbage`) or a larger one (all of it goes): the caller must lkx_tlb_flush before it
 * lets go of that.
 */
bool lkx_ept_map(struct lkx_vm *vm, struct lkx_ept_cache *cache, u64 gfn, u64 pfn, int level, u64 access,
		 struct lkx_ept_garbage *garbage);

/* The largest level up to `level` at which gfn can be mapped without taking away smaller pages around it. Takes ept.lock. */
int lkx_ept_room(struct lkx_vm *vm, u64 gfn, int level);

/*
 * Maps `count` frames from gfn on, all of one table of level 1, where nothing is mapped; what is mapped stays as it is, and so no processor need
 * be told. page[i] is as plat_pages_near says, 0 for none; no more than `access` is given. Does nothing where there is no such table. With ept.lock
 * held.
 */
void lkx_ept_map_near(struct lkx_vm *vm, u64 gfn, const u64 *page, u32 count, u64 access);

/*
 * The host lacks memory: takes some tables away with what they map, from where the last call stopped, round and round. How many it freed. Flushes, and
 * so waits for vCPUs to leave guest mode, but does not sleep. Nothing of a VM whose tree is destroyed.
 */
u64 lkx_ept_reclaim(struct lkx_vm *vm);

/*
 * Takes away every mapping of [*gfn, end). Called with ept.lock held, it stops after some hundred microseconds of work with *gfn advanced, so that
 * the caller can let others have the lock; true when it got to the end. What it took must be flushed: lkx_tlb_owed. Tables left empty go to
 * `garbage`; where that is NULL they stay in the tree.
 */
bool lkx_ept_zap_some(struct lkx_vm *vm, u64 *gfn, u64 end, struct lkx_ept_garbage *garbage);
/*
 * The next write to a frame is to be seen, by its fault or by page-modification logging: takes its write permission, or its dirty flag, away; and where a
 * large page maps it all of that. Called with ept.lock held; to be flushed: lkx_tlb_owed.
 */
void lkx_ept_watch(struct lkx_vm *vm, u64 gfn);
/*
 * Has a guest touched any of [gfn, end) since it was asked to `clear` that? Where the processor doesn't say, what is mapped counts as touched, and
 * clearing is up to the caller. Called with ept.lock held.
 */
bool lkx_ept_age(struct lkx_vm *vm, u64 gfn, u64 end, bool clear);
/* Frees what is in it. After lkx_tlb_flush. */
void lkx_ept_garbage_free(struct lkx_hw *hw, struct lkx_ept_garbage *garbage);

/* The entry that a walk for gfn ends at, and its level (1 = 4 KiB leaf). Called with ept.lock held. For tests, traces and debugfs. */
u64 lkx_ept_lookup(struct lkx_vm *vm, u64 gfn, int *level);

/*
 * tdp_map: an EPT violation on `gpa`, which is in `slot`, the caller's copy of a slot. Takes the host's page, unless the host
 * takes it away meanwhile, and maps it, and with it pages near it that the host has present anyway. 0; 1 when the access is to be treated as MMIO (a write to a read-only slot); or -errno:
 *   -EAGAIN     the slot or the host's page changed meanwhile: let the guest try again;
 *   -EFAULT     the VMM's memory is not there, or may not be written;
 *   -EHWPOISON  the memory is broken;
 *   -EINTR      the VMM is being killed;
 *   -ENOMEM     no memory for page tables.
 */
int lkx_tdp_map(struct lkx_vcpu *v, u64 gpa, u64 qualification, const struct lkx_memslot *slot);

/*
 * KVM_PRE_FAULT_MEMORY, pre_fault.c. Maps the range; what is left of it is in *range afterwards. 0 when a part of it is done; -EINVAL for a range or
 * flags that can't be, -ENOENT without a slot, -EINTR for a signal, or as lkx_tdp_map.
 */
int lkx_pre_fault(struct lkx_vcpu *v, struct kvm_pre_fault_memory *range);

/* The host takes [hva_start, hva_end) away or narrows its permissions: no guest maps it when this returns. */
void lkx_mmu_invalidate(struct lkx_vm *vm, u64 hva_start, u64 hva_end);

enum lkx_age {
	LKX_AGE_TEST,
	LKX_AGE_CLEAR,       /* what a processor has cached may be used without being seen */
	LKX_AGE_CLEAR_FLUSH,
};

/* Has the guest touched any of [hva_start, hva_end) since that was cleared last? Does not sleep. */
bool lkx_mmu_age(struct lkx_vm *vm, u64 hva_start, u64 hva_end, enum lkx_age what);

/*
 * tlb.c. Makes every translation cached by any processor for this VM, of entries taken away before the call, unusable before it returns. Waits for
 * vCPUs to leave guest mode: not with interrupts off, and not with ept.lock held.
 */
void lkx_tlb_flush(struct lkx_vm *vm);
/* Is a flush owed for entries taken away? Called with ept.lock held. */
bool lkx_tlb_owed(struct lkx_vm *vm);
/* Catches up with flushes since this vCPU last ran here, up to `generation`. See lkx_tlb_sync. */
void lkx_tlb_catch_up(struct lkx_vcpu *v, u64 generation);

#endif
