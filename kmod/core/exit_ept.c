// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* EPT violations: a slot's page to be mapped, or MMIO. Exit qualification: SDM vol. 3, table 28-7. */
#include "ept.h"
#include "exits.h"
#include "lapic.h"
#include "memslot.h"
#include "mmio.h"

/* The access that delivers an event (IDT, TSS, stack in MMIO) is no instruction that user space could finish. */
int lkx_exit_no_memory(struct lkx_vcpu *v, u64 q)
{
	struct kvm_run *run = v->run;

	if (!(v->exit.idt_vectoring_info & INTR_INFO_VALID))
		return lkx_mmio_exit(v, v->exit.gpa, q);
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
	run->internal.ndata = 5;
	run->internal.data[0] = v->exit.idt_vectoring_info;
	run->internal.data[1] = v->exit.reason;
	run->internal.data[2] = v->exit.qualification;
	run->internal.data[3] = v->exit.gpa;
	run->internal.data[4] = plat_cpu(v);
	return 0;
}

int lkx_exit_ept_violation(struct lkx_vcpu *v)
{
	u64 gpa = v->exit.gpa, q = v->exit.qualification;
	struct lkx_memslot slot;
	int r = 1;

	v->stats.pf_taken++;
	lkx_reblock_nmis(v);
	if (lkx_memslot_find(v->vm, gpa >> LKX_PAGE_SHIFT, &slot)) {
		r = lkx_tdp_map(v, gpa, q, &slot);
		if (r == 0 || r == -EAGAIN)
			return 1;
		if (r < 0)
			return r;
	}
	if (v->lapic && lkx_lapic_map(v, gpa, q))
		return 1;
	return lkx_exit_no_memory(v, q);
}
