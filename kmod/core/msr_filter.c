// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "msr_filter.h"
#include "msr.h"
#include "vcpu.h"

#define FILTER_ACCESS (KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)
/* The API's: the x2APIC's are never filtered. */
#define X2APIC_FIRST 0x800
#define X2APIC_LAST 0x8ff

/* As the VMM has it: whole 64-bit words. */
static u32 bitmap_bytes(const struct kvm_msr_filter_range *r)
{
	return ((u64)r->nmsrs + 63) / 64 * 8;
}

int lkx_msr_filter_make(struct lkx_hw *hw, const struct kvm_msr_filter *args, struct lkx_msr_filter **filter)
{
	struct lkx_msr_filter *f;
	u32 bytes = 0, i;

	*filter = NULL;
	if (args->flags & ~KVM_MSR_FILTER_DEFAULT_DENY)
		return -EINVAL;
	for (i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
		const struct kvm_msr_filter_range *r = &args->ranges[i];

		if (!r->nmsrs)
			continue;
		if (!r->flags || (r->flags & ~FILTER_ACCESS) || bitmap_bytes(r) > KVM_MSR_FILTER_MAX_BITMAP_SIZE)
			return -EINVAL;
		bytes += bitmap_bytes(r);
	}
	if (!bytes)
		return args->flags ? -EINVAL : 0;
	f = plat_alloc(hw, sizeof(*f) + bytes);
	if (!f)
		return -ENOMEM;
	f->default_allow = !args->flags;
	for (i = 0, bytes = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
		const struct kvm_msr_filter_range *r = &args->ranges[i];

		if (!r->nmsrs)
			continue;
		f->range[f->count++] = (struct lkx_msr_range){ r->flags, r->base, r->nmsrs, bytes };
		if (plat_user_read(hw, f->bits + bytes, (uintptr_t)r->bitmap, bitmap_bytes(r))) {
			plat_free(hw, f);
			return -EFAULT;
		}
		bytes += bitmap_bytes(r);
	}
	*filter = f;
	return 0;
}

int lkx_msr_filter_replace(struct lkx_vm *vm, struct lkx_msr_filter *filter)
{
	struct lkx_msr_filter *old = plat_rcu_load_locked(vm->hw, vm->msr_filter, plat_slots_locked(vm));
	u8 *old_bitmap = vm->msr_bitmap, *bitmap = NULL;

	if (filter) {
		bitmap = plat_page_alloc(vm->hw);
		if (!bitmap)
			return -ENOMEM;
		lkx_msr_bitmap_init(bitmap, filter);
	}
	plat_rcu_store(vm->hw, vm->msr_filter, filter);
	vm->msr_bitmap = bitmap;
	plat_store64(&vm->msr_bitmap_pa, bitmap ? plat_phys(vm->hw, bitmap) : 0);
	/* Whoever is in the guest leaves it, and takes the new page with the flush before it enters again: tlb.c. No processor reads the old one then. */
	lkx_tlb_flush(vm);
	if (old_bitmap)
		plat_page_free(vm->hw, old_bitmap);
	if (old)
		plat_free_deferred(vm->hw, old, rcu);
	return 0;
}

bool lkx_msr_filter_allows(const struct lkx_msr_filter *filter, u32 index, u32 access)
{
	u32 i;

	if (!filter || (index >= X2APIC_FIRST && index <= X2APIC_LAST))
		return true;
	for (i = 0; i < filter->count; i++) {
		const struct lkx_msr_range *r = &filter->range[i];
		u32 at = index - r->base;

		if ((r->flags & access) && index >= r->base && at < r->nmsrs)
			return filter->bits[r->offset + at / 8] & BIT(at % 8);
	}
	return filter->default_allow;
}

void lkx_msr_filter_destroy(struct lkx_vm *vm)
{
	struct lkx_msr_filter *old = plat_rcu_load_locked(vm->hw, vm->msr_filter, true);

	plat_rcu_store(vm->hw, vm->msr_filter, NULL);
	if (vm->msr_bitmap)
		plat_page_free(vm->hw, vm->msr_bitmap);
	vm->msr_bitmap = NULL;
	if (old)
		plat_free_deferred(vm->hw, old, rcu);
}
