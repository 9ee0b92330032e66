/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Extended page tables: four levels, 4 KiB leaves, write-back. SDM vol. 3, "The Extended Page Table Mechanism (EPT)". */
#ifndef LKX_EPT_H
#define LKX_EPT_H

#include "plat.h"

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
	struct plat_spinlock lock; /* [E] every entry below root, and `tables` */
	u64 *root;                 /* [I] */
	u64 eptp;                  /* [I] */
	u64 tables;                /* [E] page-table pages, root included */
	u64 generation;            /* [a] counts what makes old translations wrong: see lkx_tlb_flush */
};

/* 0 or -ENOMEM. `access_dirty`: the processor has A/D bits for EPT. */
int lkx_ept_init(struct lkx_vm *vm, bool access_dirty);
void lkx_ept_destroy(struct lkx_vm *vm);

/* Fills the cache: 0 or -ENOMEM. May sleep. */
int lkx_ept_cache_fill(struct lkx_hw *hw, struct lkx_ept_cache *cache);
void lkx_ept_cache_drain(struct lkx_hw *hw, struct lkx_ept_cache *cache);

/*
 * Maps gfn to pfn with `access` (EPT_READ|WRITE|EXECUTE). Called with ept.lock held and a filled cache. True when an entry
 * was present with another frame, or lost a permission: the caller must lkx_tlb_flush before it lets go of what was there.
 */
bool lkx_ept_map(struct lkx_vm *vm, struct lkx_ept_cache *cache, u64 gfn, u64 pfn, u64 access);

/* Pages of tables taken out of the tree, held until no processor can walk them. */
struct lkx_ept_garbage {
	void *first;
};

/*
 * Takes away every mapping of [gfn, gfn + npages). Called with ept.lock held. True when something was mapped. Tables that cover nothing
 * else go to `garbage` (may be NULL: then they stay in the tree, empty).
 */
bool lkx_ept_zap(struct lkx_vm *vm, u64 gfn, u64 npages, struct lkx_ept_garbage *garbage);
/* After lkx_tlb_flush. */
void lkx_ept_garbage_free(struct lkx_hw *hw, struct lkx_ept_garbage *garbage);

/* The entry that a walk for gfn ends at, and its level (1 = 4 KiB leaf). For tests, traces and debugfs. */
u64 lkx_ept_lookup(struct lkx_vm *vm, u64 gfn, int *level);

/*
 * tdp_map: an EPT violation on `gpa` that a slot holds. Takes the host's page, races with the host taking it away,
 * maps it. 0; 1 when the access is to be treated as MMIO (a write to a read-only slot); or -errno (EFAULT: the VMM's memory
 * is not there).
 */
int lkx_tdp_map(struct lkx_vcpu *v, u64 gpa, u64 qualification, const struct lkx_memslot *slot);

/* The host takes [hva_start, hva_end) away or narrows its permissions: no guest maps it when this returns. */
void lkx_mmu_invalidate(struct lkx_vm *vm, u64 hva_start, u64 hva_end);

/* Makes every translation cached by any processor for this VM older than now unusable before it returns (tlb.c). */
void lkx_tlb_flush(struct lkx_vm *vm);
/* Before VM entry, interrupts off, v->mode in guest: catches up with flushes since this vCPU last ran here (tlb.c). */
void lkx_tlb_sync(struct lkx_vcpu *v);

#endif
