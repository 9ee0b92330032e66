// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Each word of a log is changed under ept.lock, by who found its slot under the same hold: a log that no slot has any more is nobody's. */
#include "dirty.h"
#include "pml.h"
#include "x86.h"

#define PAGES_A_WORD 64
/* Words that are taken in one hold of ept.lock: some hundred microseconds when all of their pages were written. */
#define CHUNK 64

static u64 words_of(u64 npages)
{
	return (npages + PAGES_A_WORD - 1) / PAGES_A_WORD;
}

u64 *lkx_dirty_alloc(struct lkx_vm *vm, u64 npages)
{
	u64 words = words_of(npages), *log = plat_alloc(vm->hw, words * sizeof(*log));

	if (log && plat_read_once(vm->manual_dirty_log) & KVM_DIRTY_LOG_INITIALLY_SET) {
		memset(log, 0xff, words * sizeof(*log));
		/* No bits behind the slot's end. */
		if (npages % PAGES_A_WORD)
			log[words - 1] = BIT_ULL(npages % PAGES_A_WORD) - 1;
	}
	return log;
}

static void set_in(const struct lkx_memslot *slot, u64 gfn)
{
	u64 page = gfn - slot->base_gfn, *word;

	if (!slot->log || page >= slot->npages)
		return;
	word = &slot->log[page / PAGES_A_WORD];
	plat_store64(word, *word | BIT_ULL(page % PAGES_A_WORD));
}

void lkx_dirty_set(struct lkx_vm *vm, u64 gfn)
{
	struct lkx_memslot slot;

	if (lkx_memslot_find(vm, gfn, &slot))
		set_in(&slot, gfn);
	set_in(&vm->leaving, gfn);
}

void lkx_dirty_wrote(struct lkx_vm *vm, u64 gpa, size_t len)
{
	u64 gfn = gpa >> LKX_PAGE_SHIFT, last = (gpa + len - 1) >> LKX_PAGE_SHIFT;
	struct lkx_memslot slot;

	/*
	 * The bytes first, then the question whether there is a log: who turns one on and then reads the memory (a full barrier lies between
	 * the two, in ept.lock and the flush) has either these bytes or this bit.
	 */
	plat_mb();
	for (; gfn <= last; gfn++) {
		if (!lkx_memslot_find(vm, gfn, &slot) || !slot.log)
			continue;
		plat_spin_lock(vm->hw, &vm->ept.lock);
		lkx_dirty_set(vm, gfn);
		plat_spin_unlock(vm->hw, &vm->ept.lock);
	}
}

/* Copies the slot `id`, whose log stays while the slots lock is held. */
static int find_logged(struct lkx_vm *vm, u32 id, struct lkx_memslot *slot)
{
	const struct lkx_memslots *slots = plat_rcu_load_locked(vm->hw, vm->slots, plat_slots_locked(vm));
	u32 i;

	if (id >= LIKEX_MAX_MEMSLOTS)
		return -EINVAL;
	for (i = 0; slots && i < slots->count; i++) {
		*slot = slots->slot[i];
		if (slot->id == id)
			return slot->log ? 0 : -ENOENT;
	}
	return -ENOENT;
}

/* Takes those of `mask` that are set in a word: the next write to their pages will set them. With ept.lock held. */
static u64 take(struct lkx_vm *vm, const struct lkx_memslot *slot, u64 word, u64 mask)
{
	u64 *at = &slot->log[word], taken = *at & mask, left;

	plat_store64(at, *at & ~mask);
	for (left = taken; left; left &= left - 1)
		lkx_ept_watch(vm, slot->base_gfn + word * PAGES_A_WORD + __builtin_ctzll(left));
	return taken;
}

/*
 * Takes `words` of the log from `first` on: all that is set, which goes to the VMM's bitmap at `user`; or, with `clear`, what that bitmap names.
 * Nothing is copied under the lock. The flush comes last and once: it is the ioctl's return that tells the VMM that the bits are what they are.
 */
static int take_words(struct lkx_vm *vm, const struct lkx_memslot *slot, u64 first, u64 words, u64 user, bool clear)
{
	u64 chunk[CHUNK], end = first + words, n, i;
	bool owed = false;
	int err = 0;

	for (; first < end; first += n, user += n * sizeof(u64)) {
		n = min_t(u64, CHUNK, end - first);
		if (clear)
			err = plat_user_read(vm->hw, chunk, user, n * sizeof(u64));
		if (err)
			break;
		plat_spin_lock(vm->hw, &vm->ept.lock);
		for (i = 0; i < n; i++)
			chunk[i] = take(vm, slot, first + i, clear ? chunk[i] : ~0ull);
		owed = lkx_tlb_owed(vm);
		plat_spin_unlock(vm->hw, &vm->ept.lock);
		if (!clear)
			err = plat_user_write(vm->hw, user, chunk, n * sizeof(u64));
		if (err)
			break;
		plat_breathe(vm->hw);
	}
	if (owed)
		lkx_tlb_flush(vm);
	return err ? -EFAULT : 0;
}

int lkx_dirty_get(struct lkx_vm *vm, const struct kvm_dirty_log *log)
{
	struct lkx_memslot slot;
	int err = find_logged(vm, log->slot, &slot);
	u64 words = err ? 0 : words_of(slot.npages);

	if (err)
		return err;
	lkx_pml_read(vm);
	/* As it is: a bit that is set meanwhile is seen now or the next time, and none is taken. */
	if (plat_read_once(vm->manual_dirty_log) & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
		return plat_user_write(vm->hw, log->padding2, slot.log, words * sizeof(u64)) ? -EFAULT : 0;
	return take_words(vm, &slot, 0, words, log->padding2, false);
}

int lkx_dirty_clear(struct lkx_vm *vm, const struct kvm_clear_dirty_log *clear)
{
	u64 first = clear->first_page, n = clear->num_pages;
	struct lkx_memslot slot;
	int err;

	if (first % PAGES_A_WORD)
		return -EINVAL;
	err = find_logged(vm, clear->slot, &slot);
	if (err)
		return err;
	if (first > slot.npages || n > slot.npages - first || (n < slot.npages - first && n % PAGES_A_WORD))
		return -EINVAL;
	return take_words(vm, &slot, first / PAGES_A_WORD, words_of(n), clear->padding2, true);
}
