// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What processors have cached of an EPT. Each flush has a number, vm->ept.generation; each vCPU remembers the last that its processor has
 * followed and catches up before it enters the guest, so that a flush costs an interrupt only where a guest is running.
 *
 * No flush is missed: lkx_tlb_flush raises the generation, full barrier, looks for vCPUs in guest mode. A vCPU says that it is in guest
 * mode, full barrier, reads the generation. Either it reads the new one, or it is seen and made to leave; then its next entry reads it.
 * The platform marks a vCPU that comes to another processor LKX_TLB_STALE: there its old translations may have missed any number of flushes.
 */
#include "ept.h"
#include "lapic.h"
#include "msr.h"

void lkx_tlb_flush(struct lkx_vm *vm)
{
	struct lkx_ept *ept = &vm->ept;
	/* What is counted here has left the tree; what others take away from now on they flush. */
	u64 removals = plat_load64(&ept->removals);
	u64 flushed;

	plat_add64(&ept->generation, 1);
	plat_kick_guests(vm);

	flushed = plat_load64(&ept->removals_flushed);
	while (flushed < removals) {
		u64 seen = plat_cmpxchg64(&ept->removals_flushed, flushed, removals);

		if (seen == flushed)
			break;
		flushed = seen;
	}
}

bool lkx_tlb_owed(struct lkx_vm *vm)
{
	return plat_load64(&vm->ept.removals_flushed) != vm->ept.removals;
}

/* What a flush says besides: a filter of MSRs has been replaced (msr_filter.c). */
void lkx_msr_bitmap_follow(struct lkx_vcpu *v)
{
	u64 filters = plat_load64(&v->vm->msr_bitmap_pa), pa = filters ? filters : v->vm->caps->msr_bitmap_pa;

	/* The second page of two. */
	if (!filters && v->lapic && (v->lapic->controls & CTRL(PROC2, VIRTUALIZE_X2APIC)))
		pa += LKX_PAGE_BYTES;
	if (likely(pa == v->msr_bitmap_pa))
		return;
	v->msr_bitmap_pa = pa;
	v->msr_filtered = filters;
	vmcs_write64(v->hw, MSR_BITMAP, pa);
}

void lkx_tlb_catch_up(struct lkx_vcpu *v, u64 generation)
{
	struct lkx_vm *vm = v->vm;

	lkx_msr_bitmap_follow(v);
	if (v->tlb_generation == LKX_TLB_STALE && v->vpid)
		hw_invvpid(v->hw, INVVPID_SINGLE, v->vpid, 0);
	if (vm->caps->invept_single)
		hw_invept(v->hw, INVEPT_SINGLE, vm->ept.eptp);
	else
		hw_invept(v->hw, INVEPT_GLOBAL, 0);
	v->tlb_generation = generation;
}
