/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The dirty log: one bit for each page of a slot with KVM_MEM_LOG_DIRTY_PAGES that was written since its bit was taken.
 *
 * Where it is by write protection, no entry of the EPT that a guest may write through is there while its page's bit is clear: the fault that makes a
 * page writable sets the bit in the same hold of ept.lock (tdp.c), and whoever takes a bit takes the write permission, also in one hold, and flushes
 * before the VMM hears of it. So a guest's write is either in the log that is being read or faults and is in the next. That costs one fault for each
 * page and reading; reads and pages nearby are mapped without write permission, so what a guest doesn't write is never reported.
 *
 * By page-modification logging, where that is chosen and the processor has it: pml.h.
 *
 * The module's own writes of guest memory go through the VMM's mapping and are noted after they are done: the VMM that reads the log before misses
 * nothing, it will be in the next.
 */
#ifndef LKX_DIRTY_H
#define LKX_DIRTY_H

#include "vm.h"

/* Of a slot's flags those with which its pages become writable for a write only, or never: lkx_memslot.unwritable. */
static inline u32 lkx_dirty_unwritable(const struct lkx_vm *vm)
{
	return vm->caps->pml ? KVM_MEM_READONLY : KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES;
}

/* The log of a new slot; all pages are in it where KVM_DIRTY_LOG_INITIALLY_SET asks for that. Freed by plat_free; NULL: no memory. */
u64 *lkx_dirty_alloc(struct lkx_vm *vm, u64 npages);

/* The guest is about to write to gfn, or has: then it may be one of the slot that is leaving. With ept.lock held. */
void lkx_dirty_set(struct lkx_vm *vm, u64 gfn);
/* `len` bytes, at least 1, have been written on behalf of the guest. */
void lkx_dirty_wrote(struct lkx_vm *vm, u64 gpa, size_t len);

/*
 * KVM_GET_DIRTY_LOG: writes the log to user space and, unless that is protected by hand, takes all of it. Called with the slots lock held. 0,
 * -EINVAL (no such slot number), -ENOENT (no slot, or it has no log), -EFAULT: bits that were taken before are lost then, as KVM loses them.
 */
int lkx_dirty_get(struct lkx_vm *vm, const struct kvm_dirty_log *log);

/*
 * KVM_CLEAR_DIRTY_LOG: takes the bits that the VMM's bitmap names. Called with the slots lock held. 0, or as above; -EINVAL also where the pages
 * are not the slot's, or don't begin and end with a word of 64 bits or the slot. What came before -EFAULT is taken.
 */
int lkx_dirty_clear(struct lkx_vm *vm, const struct kvm_clear_dirty_log *clear);

#endif
