// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The table of slots: look up, and replace by a new one. memslot_check.c has the ABI's rules. */
#include "memslot.h"
#include "dirty.h"
#include "lapic.h"
#include "pml.h"
#include "x86.h"

bool lkx_memslot_find(struct lkx_vm *vm, u64 gfn, struct lkx_memslot *out)
{
	const struct lkx_memslots *slots;
	u32 low = 0, high = 0;
	bool found = false;

	plat_rcu_lock(vm->hw);
	slots = plat_rcu_load(vm->hw, vm->slots);
	if (slots)
		high = slots->count;
	/* All before low begin at or before gfn, all from high on begin after it. */
	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (slots->slot[middle].base_gfn <= gfn)
			low = middle + 1;
		else
			high = middle;
	}
	if (low && gfn - slots->slot[low - 1].base_gfn < slots->slot[low - 1].npages) {
		*out = slots->slot[low - 1];
		found = true;
	}
	plat_rcu_unlock(vm->hw);
	return found;
}

/* A copy of `old` (may be NULL) without the slot `id` and with `add` (npages 0: none) in its place. NULL: no memory. */
static struct lkx_memslots *copy_with(struct lkx_hw *hw, const struct lkx_memslots *old, u16 id, const struct lkx_memslot *add)
{
	u32 count = old ? old->count : 0, i;
	bool added = !add->npages;
	struct lkx_memslots *new;

	new = plat_alloc(hw, sizeof(*new) + (count + 1) * sizeof(new->slot[0]));
	if (!new)
		return NULL;
	new->generation = old ? old->generation + 1 : 1;
	for (i = 0; i < count; i++) {
		if (old->slot[i].id == id)
			continue;
		if (!added && old->slot[i].base_gfn > add->base_gfn) {
			new->slot[new->count++] = *add;
			added = true;
		}
		new->slot[new->count++] = old->slot[i];
	}
	if (!added)
		new->slot[new->count++] = *add;
	return new;
}

/*
 * Takes what `vm->leaving` maps out of the EPT. Nothing comes back: faults compare their slot with the table, under ept.lock. The
 * tables' pages are freed only after the flush, when no processor walks them; and what was written until then still goes into its log, if it has one.
 */
static void zap_leaving(struct lkx_vm *vm)
{
	u64 gfn = vm->leaving.base_gfn, end = gfn + vm->leaving.npages;
	struct lkx_ept_garbage garbage = { NULL };
	bool done, owed;

	do {
		plat_spin_lock(vm->hw, &vm->ept.lock);
		done = lkx_ept_zap_some(vm, &gfn, end, &garbage);
		owed = lkx_tlb_owed(vm);
		plat_spin_unlock(vm->hw, &vm->ept.lock);
		plat_breathe(vm->hw);
	} while (!done);
	if (owed)
		lkx_tlb_flush(vm);
	lkx_ept_garbage_free(vm->hw, &garbage);
	lkx_pml_read(vm);
	plat_spin_lock(vm->hw, &vm->ept.lock);
	vm->leaving.npages = 0;
	plat_spin_unlock(vm->hw, &vm->ept.lock);
}

int lkx_memslot_apply(struct lkx_vm *vm, const struct kvm_userspace_memory_region *r)
{
	struct lkx_memslots *old = plat_rcu_load_locked(vm->hw, vm->slots, plat_slots_locked(vm));
	struct lkx_memslot slot = {
		.base_gfn = r->guest_phys_addr >> LKX_PAGE_SHIFT,
		.npages = r->memory_size >> LKX_PAGE_SHIFT,
		.hva = r->userspace_addr,
		.flags = r->flags,
		.id = r->slot,
		.unwritable = r->flags & lkx_dirty_unwritable(vm),
	}, leaving = { 0 };
	struct lkx_memslots *new;
	u32 i;

	for (i = 0; old && i < old->count; i++)
		if (old->slot[i].id == slot.id)
			leaving = old->slot[i];
	/* Size, hva and KVM_MEM_READONLY of a slot never change (memslot_check.c). */
	if (slot.npages && leaving.npages && leaving.base_gfn == slot.base_gfn && leaving.flags == slot.flags)
		return 0;
	if (slot.npages && (slot.flags & KVM_MEM_LOG_DIRTY_PAGES)) {
		slot.log = leaving.log ? leaving.log : lkx_dirty_alloc(vm, slot.npages);
		if (!slot.log)
			return -ENOMEM;
	}
	new = copy_with(vm->hw, old, slot.id, &slot);
	if (!new) {
		if (slot.log != leaving.log)
			plat_free(vm->hw, slot.log);
		return -ENOMEM;
	}

	/* What was written before a log begins is not in it. */
	if (leaving.npages)
		lkx_pml_read(vm);
	plat_spin_lock(vm->hw, &vm->ept.lock);
	vm->leaving = leaving;
	plat_rcu_store(vm->hw, vm->slots, new);
	plat_spin_unlock(vm->hw, &vm->ept.lock);
	/* Also where the log begins or ends: nothing that was mapped under the other rule stays. */
	if (leaving.npages)
		zap_leaving(vm);
	/* Memory goes before an APIC. */
	if ((APIC_BASE_DEFAULT >> LKX_PAGE_SHIFT) - slot.base_gfn < slot.npages)
		lkx_lapic_set_page(vm, NULL);
	if (leaving.log != slot.log)
		plat_free(vm->hw, leaving.log);
	if (old)
		plat_free_deferred(vm->hw, old, rcu);
	return 0;
}

void lkx_memslots_destroy(struct lkx_vm *vm)
{
	struct lkx_memslots *old;
	u32 i;

	/* A last lkx_mmu_invalidate may be reading it. */
	plat_spin_lock(vm->hw, &vm->ept.lock);
	old = plat_rcu_load_locked(vm->hw, vm->slots, true);
	plat_rcu_store(vm->hw, vm->slots, NULL);
	plat_spin_unlock(vm->hw, &vm->ept.lock);
	for (i = 0; old && i < old->count; i++)
		plat_free(vm->hw, old->slot[i].log);
	if (old)
		plat_free_deferred(vm->hw, old, rcu);
}
