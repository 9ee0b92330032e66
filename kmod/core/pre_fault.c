// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* KVM_PRE_FAULT_MEMORY: guest memory is mapped before the guest touches it, as if it had been read. */
#include "ept_iter.h"
#include "memslot.h"
#include "vcpu.h"

/* How much of the range the page that is mapped at its beginning takes up; 0 where none is. */
static u64 mapped(struct lkx_vm *vm, const struct kvm_pre_fault_memory *range)
{
	u64 e, bytes;
	int level;

	plat_spin_lock(vm->hw, &vm->ept.lock);
	e = lkx_ept_lookup(vm, range->gpa >> LKX_PAGE_SHIFT, &level);
	plat_spin_unlock(vm->hw, &vm->ept.lock);
	if (!ept_present(e))
		return 0;
	bytes = ept_span(level) << LKX_PAGE_SHIFT;
	return min(range->size, bytes - (range->gpa & (bytes - 1)));
}

static int map(struct lkx_vcpu *v, u64 gpa)
{
	struct lkx_memslot slot;
	int r = plat_run_poll(v);

	if (!r)
		r = lkx_memslot_find(v->vm, gpa >> LKX_PAGE_SHIFT, &slot) ? lkx_tdp_map(v, gpa, EPT_VIOLATION_READ, &slot) : -ENOENT;
	return r == -EAGAIN ? 0 : r;
}

int lkx_pre_fault(struct lkx_vcpu *v, struct kvm_pre_fault_memory *range)
{
	u64 all = range->size;
	int r = 0;

	if (range->flags || !all || LKX_PAGE_OFFSET(range->gpa | all) || range->gpa + all <= range->gpa)
		return -EINVAL;
	while (range->size && !r) {
		u64 bytes = mapped(v->vm, range);

		range->gpa += bytes;
		range->size -= bytes;
		if (!bytes)
			r = map(v, range->gpa);
	}
	return range->size < all ? 0 : r;
}
