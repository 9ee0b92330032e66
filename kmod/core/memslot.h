/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Memory slots: which host virtual addresses stand behind which guest physical ones. */
#ifndef LKX_MEMSLOT_H
#define LKX_MEMSLOT_H

#include "plat.h"
#include "uapi/likex.h"

struct lkx_memslot {
	u64 base_gfn;
	u64 npages;
	u64 hva;   /* of base_gfn */
	u64 *log;  /* of KVM_MEM_LOG_DIRTY_PAGES: dirty.h. To be followed by who found the slot under ept.lock, or has the slots lock */
	u32 flags; /* KVM_MEM_READONLY, KVM_MEM_LOG_DIRTY_PAGES */
	u16 id;
	bool unwritable; /* pages become writable for a write only, or never: lkx_dirty_unwritable */
};

/*
 * One state of all slots, sorted by base_gfn, never overlapping, never changed after it is published:
 * readers look it up under RCU and copy the slot they found; a change publishes a new table.
 */
struct lkx_memslots {
	struct plat_rcu_head rcu;
	u32 count;
	u64 generation;
	struct lkx_memslot slot[];
};

/*
 * KVM_SET_USER_MEMORY_REGION, first half: checks `r` against the ABI's rules and the present slots. Changes
 * nothing. 0, or as KVM answers: -EINVAL (flags, alignment, ranges, what may not change of a slot, a slot to delete that is not there),
 * -EEXIST (overlap with another slot). Called with vm's slots lock held.
 */
int lkx_memslot_check(struct lkx_vm *vm, const struct kvm_userspace_memory_region *r);

/* Second half: adds, deletes or moves the slot, or begins or ends its log. 0 or -ENOMEM. After it returns no guest reaches the memory of the old slot. */
int lkx_memslot_apply(struct lkx_vm *vm, const struct kvm_userspace_memory_region *r);

/* Copies the slot that holds `gfn` to `*out`; false where there is none. Takes no lock. */
bool lkx_memslot_find(struct lkx_vm *vm, u64 gfn, struct lkx_memslot *out);

/* Frees the table; no vCPU is left. */
void lkx_memslots_destroy(struct lkx_vm *vm);

#endif
