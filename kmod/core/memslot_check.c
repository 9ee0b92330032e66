// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What KVM_SET_USER_MEMORY_REGION accepts. The order of the checks is KVM's too, so that a region that is wrong in two ways
 * gets the same errno. Where the answers differ on purpose: no second address space (SMM) is offered, so that slot numbers above 0xffff
 * are -EINVAL; slot numbers end at LIKEX_MAX_MEMSLOTS.
 */
#include "memslot.h"
#include "vm.h"
#include "x86.h"

/* KVM's bound for one slot: page numbers within it fit 31 bits. */
#define MAX_SLOT_PAGES ((1ull << 31) - 1)

/* What can be said without looking at other slots. */
static bool well_formed(struct lkx_vm *vm, const struct kvm_userspace_memory_region *r)
{
	if (r->flags & ~(u32)(KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES))
		return false;
	if (LKX_PAGE_OFFSET(r->memory_size) || LKX_PAGE_OFFSET(r->guest_phys_addr) || LKX_PAGE_OFFSET(r->userspace_addr))
		return false;
	if (!plat_user_range_ok(vm->hw, r->userspace_addr, r->memory_size))
		return false;
	/* Bits 31:16 are the address space. */
	if (r->slot >= LIKEX_MAX_MEMSLOTS)
		return false;
	if (r->guest_phys_addr + r->memory_size < r->guest_phys_addr)
		return false;
	return r->memory_size >> LKX_PAGE_SHIFT <= MAX_SLOT_PAGES;
}

static bool overlaps(const struct lkx_memslot *s, u64 base_gfn, u64 npages)
{
	return s->base_gfn < base_gfn + npages && base_gfn < s->base_gfn + s->npages;
}

int lkx_memslot_check(struct lkx_vm *vm, const struct kvm_userspace_memory_region *r)
{
	const struct lkx_memslots *slots = plat_rcu_load_locked(vm->hw, vm->slots, plat_slots_locked(vm));
	u64 base_gfn = r->guest_phys_addr >> LKX_PAGE_SHIFT, npages = r->memory_size >> LKX_PAGE_SHIFT;
	const struct lkx_memslot *old = NULL;
	u32 i, count = slots ? slots->count : 0;

	if (!well_formed(vm, r))
		return -EINVAL;
	for (i = 0; i < count; i++)
		if (slots->slot[i].id == r->slot)
			old = &slots->slot[i];
	if (!npages)
		return old ? 0 : -EINVAL;
	if (old) {
		if (old->hva != r->userspace_addr || old->npages != npages || ((old->flags ^ r->flags) & KVM_MEM_READONLY))
			return -EINVAL;
		if (old->base_gfn == base_gfn)
			return 0;
	}
	for (i = 0; i < count; i++)
		if (&slots->slot[i] != old && overlaps(&slots->slot[i], base_gfn, npages))
			return -EEXIST;
	/* KVM refuses frames beyond the processor's physical addresses; four levels end at 48 bits even where those go on. */
	if (base_gfn + npages - 1 > vm->ept.max_gfn)
		return -EINVAL;
	return 0;
}
