// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The host takes pages away from the VMM: munmap, swap, copy-on-write, migration. One mmu_notifier for each address space hears of it,
 * and the VMs of that address space give the pages up before the host goes on.
 *
 * Against that runs the fault that maps a page (lkx_tdp_map). What each does, in order:
 *
 *     fault:   F1 read sequence       F2 take the page from the VMM's page tables
 *              F3 under ept.lock: retry if an invalidation that covers the address is in progress, or the sequence has changed; else map
 *     host:    H1 in_progress++ and range, under lkx_mm.lock      H2 for each VM with a slot there, under its ept.lock: zap; then flush
 *              H3 change the page tables, free the page           H4 sequence++, then in_progress--
 *
 * F3 and H2 are ordered by ept.lock. F3 first: H2 takes away what F3 mapped. H2 first: F3 sees H1. It then either sees the invalidation
 * in progress and retries, or sees in_progress of after H4 and therefore, reading it second, the sequence of after H4. Is that the sequence that
 * F1 read? Then F1 and F2 came after H4, hence after H3, and the page is the new one. Otherwise F3 retries.
 *
 * Nothing in this needs F2 to hold a reference: what F3 finds unchanged is still in the VMM's page tables, and before it leaves them H2 takes it
 * from the EPT. So the pages near the one that faulted, which plat_pages_near only looks up, are mapped by the same rule, F3 asking for their range.
 *
 * All of it is state of the address space and not of a VM, so that VMs and slots may come in the middle. H2 finds the VMs by a tree of the slots'
 * host ranges, under ranges_lock: what the host does elsewhere costs the same however many VMs there are. A new slot's range is in the tree
 * before the slot can be seen. Did it get there before H2? Then H2 finds it. After H2? Then its faults, which come after, see H1; H2 misses it, but
 * there was nothing in it to zap. (A process cannot even register between H1 and H4 of its first VM: the kernel excludes that.) A deleted
 * slot's range leaves the tree when nothing of it is mapped any more.
 */
#include "likex.h"
#include "mm.h"
#include <linux/slab.h>

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

static bool invalidate(struct lkx_vm *vm, u64 start, u64 end, enum lkx_age what)
{
	lkx_mmu_invalidate(vm, start, end);
	return false;
}

/* Asks each VM with a slot there. Does not sleep. Under ranges_lock no VM that it finds can end. */
static bool ask_vms(struct lkx_mm *w, unsigned long start, unsigned long end,
		    bool (*ask)(struct lkx_vm *vm, u64 start, u64 end, enum lkx_age what), enum lkx_age what)
{
	struct interval_tree_node *node;
	struct linux_vm *done = NULL;
	bool any = false;

	read_lock(&w->ranges_lock);
	for (node = interval_tree_iter_first(&w->ranges, start, end - 1); node;
	     node = interval_tree_iter_next(node, start, end - 1)) {
		struct linux_vm *vm = container_of(node, struct lkx_range, node)->vm;

		/* It takes care of all its slots at once, and they are mostly neighbours. */
		if (vm != done)
			any |= ask(&vm->core, start, end, what);
		done = vm;
	}
	read_unlock(&w->ranges_lock);
	return any;
}

/* H2. Good for ranges that may not block, too. */
static void invalidate_vms(struct lkx_mm *w, unsigned long start, unsigned long end)
{
	ask_vms(w, start, end, invalidate, LKX_AGE_TEST);
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

/*
 * Which memory is in use? The VMM's own page tables don't tell: the guest's accesses go past them. Called with a lock of those tables held, which
 * nobody takes in here.
 */
static int clear_flush_young(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	return ask_vms(to_mm(notifier), start, end, lkx_mmu_age, LKX_AGE_CLEAR_FLUSH);
}

static int clear_young(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	return ask_vms(to_mm(notifier), start, end, lkx_mmu_age, LKX_AGE_CLEAR);
}

static int test_young(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long address)
{
	return ask_vms(to_mm(notifier), address, address + 1, lkx_mmu_age, LKX_AGE_TEST);
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
	rwlock_init(&w->ranges_lock);
	w->ranges = RB_ROOT_CACHED;
	return &w->notifier;
}

static void free_notifier(struct mmu_notifier *notifier)
{
	kfree(to_mm(notifier));
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = invalidate_range_start,
	.invalidate_range_end = invalidate_range_end,
	.clear_flush_young = clear_flush_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.release = release,
	.alloc_notifier = alloc_notifier,
	.free_notifier = free_notifier,
};

int lkx_mm_watch(struct linux_vm *vm)
{
	/* Takes mmap_lock for writing, once for each VM. */
	struct mmu_notifier *notifier = mmu_notifier_get(&notifier_ops, vm->mm);

	if (IS_ERR(notifier))
		return PTR_ERR(notifier);
	vm->watcher = to_mm(notifier);
	INIT_LIST_HEAD(&vm->ranges);
	return 0;
}

void lkx_mm_unwatch(struct linux_vm *vm)
{
	struct lkx_mm *w = vm->watcher;
	struct lkx_range *range, *next;

	write_lock(&w->ranges_lock);
	list_for_each_entry(range, &vm->ranges, link)
		interval_tree_remove(&range->node, &w->ranges);
	write_unlock(&w->ranges_lock);
	list_for_each_entry_safe(range, next, &vm->ranges, link)
		kfree(range);
	/* The last one's is freed after a grace period that nobody waits for but lkx_mm_exit. */
	mmu_notifier_put(&w->notifier);
}

/* vm->lock. NULL: the slot has none. */
static struct lkx_range *range_of(struct linux_vm *vm, u32 slot)
{
	struct lkx_range *range;

	list_for_each_entry(range, &vm->ranges, link)
		if (range->slot == slot)
			return range;
	return NULL;
}

static int watch_range(struct linux_vm *vm, u32 slot, u64 hva, u64 size)
{
	struct lkx_range *range = kzalloc(sizeof(*range), GFP_KERNEL_ACCOUNT);
	struct lkx_mm *w = vm->watcher;

	if (!range)
		return -ENOMEM;
	range->node.start = hva;
	range->node.last = hva + size - 1;
	range->vm = vm;
	range->slot = slot;
	list_add(&range->link, &vm->ranges);
	write_lock(&w->ranges_lock);
	interval_tree_insert(&range->node, &w->ranges);
	write_unlock(&w->ranges_lock);
	return 0;
}

static void unwatch_range(struct linux_vm *vm, struct lkx_range *range)
{
	struct lkx_mm *w = vm->watcher;

	write_lock(&w->ranges_lock);
	interval_tree_remove(&range->node, &w->ranges);
	write_unlock(&w->ranges_lock);
	list_del(&range->link);
	kfree(range);
}

int lkx_mm_apply_slot(struct linux_vm *vm, const struct kvm_userspace_memory_region *region)
{
	struct lkx_range *old = range_of(vm, region->slot);
	int r;

	/* A slot that moves keeps its host range. */
	if (region->memory_size && !old) {
		r = watch_range(vm, region->slot, region->userspace_addr, region->memory_size);
		if (r)
			return r;
	}
	r = lkx_memslot_apply(&vm->core, region);
	/* Gone with the slot, or as if it had never come. */
	if (r ? !old : !region->memory_size)
		unwatch_range(vm, range_of(vm, region->slot));
	return r;
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
bool plat_mmu_retry(struct lkx_vm *vm, u64 sequence, u64 hva, u64 size)
{
	const struct lkx_mm *w = linux_vm(vm)->watcher;

	if (READ_ONCE(w->in_progress) && hva + size > READ_ONCE(w->start) && hva < READ_ONCE(w->end))
		return true;
	/* Pairs with the one in invalidate_range_end. */
	smp_rmb();
	return READ_ONCE(w->sequence) != sequence;
}
