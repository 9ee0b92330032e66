// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The host takes pages away from the VMM: munmap, swap, copy-on-write, migration. One mmu_notifier for each address space hears of it,
 * and the VMs of that address space give the pages up before the host goes on.
 *
 * Against that runs the fault that maps a page (lkx_tdp_map). What each does, in order:
 *
 *     fault:   F1 read sequence       F2 take the page from the VMM's page tables
 *              F3 under ept.lock: retry if an invalidation that covers the address is in progress, or the sequence has changed; else map
 *     host:    H1 in_progress++ and range, under lkx_mm.lock      H2 for each VM, under its ept.lock: zap; then flush
 *              H3 change the page tables, free the page           H4 sequence++, then in_progress--
 *
 * F3 and H2 are ordered by ept.lock. F3 first: H2 takes away what F3 mapped. H2 first: F3 sees H1. It then either sees the invalidation
 * in progress and retries, or sees in_progress of after H4 and therefore, reading it second, the sequence of after H4. Is that the sequence that
 * F1 read? Then F1 and F2 came after H4, hence after H3, and the page is the new one. Otherwise F3 retries.
 *
 * All of it is state of the address space and not of a VM, so that a VM may come in the middle. lkx_mm_watch puts it on the list under
 * lkx_mm.lock. Before H1: H2's walk of the list, which comes after, finds it. After H1: its faults, which come after, see H1. The walk may miss
 * it, but then there is nothing in it to zap. (A process cannot even register between H1 and H4 of its first VM: the kernel excludes that.)
 */
#include "likex.h"
#include "mm.h"
#include <linux/rculist.h>

static struct lkx_mm *to_mm(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct lkx_mm, notifier);
}

/* H1 */
static void begin_invalidate(struct lkx_mm *w, unsigned long start, unsigned long end)
{
	spin_lock(&w->lock);
	/* Nested and parallel ones only ever widen the range: who sees an old bound of it sees all of its own invalidation. */
	if (!w->in_progress || start < w->start)
		WRITE_ONCE(w->start, start);
	if (!w->in_progress || end > w->end)
		WRITE_ONCE(w->end, end);
	WRITE_ONCE(w->in_progress, w->in_progress + 1);
	spin_unlock(&w->lock);
}

/* H2. Does not sleep: good for ranges that may not block, too. */
static void invalidate_vms(struct lkx_mm *w, unsigned long start, unsigned long end)
{
	struct linux_vm *vm;

	rcu_read_lock();
	list_for_each_entry_rcu(vm, &w->vms, watcher_link)
		lkx_mmu_invalidate(&vm->core, start, end);
	rcu_read_unlock();
}

static int invalidate_range_start(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct lkx_mm *w = to_mm(notifier);

	begin_invalidate(w, range->start, range->end);
	invalidate_vms(w, range->start, range->end);
	return 0;
}

/* H4 */
static void invalidate_range_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct lkx_mm *w = to_mm(notifier);

	spin_lock(&w->lock);
	WRITE_ONCE(w->sequence, w->sequence + 1);
	/* Pairs with the one in plat_mmu_retry. */
	smp_wmb();
	if (!WARN_ON_ONCE(!w->in_progress))
		WRITE_ONCE(w->in_progress, w->in_progress - 1);
	spin_unlock(&w->lock);
}

/* The address space ends while its VMs' files are still open: an invalidation of everything that never ends. */
static void release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct lkx_mm *w = to_mm(notifier);

	begin_invalidate(w, 0, ULONG_MAX);
	invalidate_vms(w, 0, ULONG_MAX);
}

static struct mmu_notifier *alloc_notifier(struct mm_struct *mm)
{
	struct lkx_mm *w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);

	if (!w)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&w->lock);
	INIT_LIST_HEAD(&w->vms);
	return &w->notifier;
}

static void free_notifier(struct mmu_notifier *notifier)
{
	kfree(to_mm(notifier));
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = invalidate_range_start,
	.invalidate_range_end = invalidate_range_end,
	.release = release,
	.alloc_notifier = alloc_notifier,
	.free_notifier = free_notifier,
};

int lkx_mm_watch(struct linux_vm *vm)
{
	/* Takes mmap_lock for writing, once for each VM. */
	struct mmu_notifier *notifier = mmu_notifier_get(&notifier_ops, vm->mm);
	struct lkx_mm *w;

	if (IS_ERR(notifier))
		return PTR_ERR(notifier);
	w = to_mm(notifier);
	vm->watcher = w;
	spin_lock(&w->lock);
	list_add_rcu(&vm->watcher_link, &w->vms);
	spin_unlock(&w->lock);
	return 0;
}

void lkx_mm_unwatch(struct linux_vm *vm)
{
	struct lkx_mm *w = vm->watcher;

	spin_lock(&w->lock);
	list_del_rcu(&vm->watcher_link);
	spin_unlock(&w->lock);
	/* The last one's is freed after a grace period that nobody waits for but lkx_mm_exit. */
	mmu_notifier_put(&w->notifier);
}

void lkx_mm_exit(void)
{
	mmu_notifier_synchronize();
}

u64 plat_mmu_begin(struct lkx_vm *vm)
{
	u64 sequence = READ_ONCE(linux_vm(vm)->watcher->sequence);

	/* F1 before F2. */
	smp_rmb();
	return sequence;
}

/*
 * F3. Reads without lkx_mm.lock, which would be one lock for the faults of all VMs. ept.lock makes an H1 visible whose H2 came before; any later
 * write seen here is of an invalidation that only adds a retry, or of one after an H4, whose sequence is then seen too: it is read last.
 */
bool plat_mmu_retry(struct lkx_vm *vm, u64 sequence, u64 hva)
{
	const struct lkx_mm *w = linux_vm(vm)->watcher;

	if (READ_ONCE(w->in_progress) && hva >= READ_ONCE(w->start) && hva < READ_ONCE(w->end))
		return true;
	/* Pairs with the one in invalidate_range_end. */
	smp_rmb();
	return READ_ONCE(w->sequence) != sequence;
}
