// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A local APIC in x2APIC mode on a processor that does part of its work: the ends of interrupts, the task priority and most reads cost no exit.
 * SDM vol. 3, chapter 30.
 *
 * Its TPR and ISR are either where lapic.c works on them or, while `in_page`, in the virtual-APIC page, where the processor does: before an entry
 * they go there, and whoever wants them takes them out first. IRR stays here, and RVI is 0: interrupts are injected as on any processor. Where one
 * waits that their priority holds back, the processor leaves the APIC to this module until the guest has written what lets it through.
 *
 * (Virtual-interrupt delivery could do all that, too, but without posted interrupts it saves no more than some interrupt-window exits; and the lab's
 * processor delivers what waits in RVI when the host is interrupted, be the guest's IF 0 or not: test_misc/lab/README.md.)
 */
#include "lapic.h"
#include "msr.h"
#include "routing.h"

#define PAGE_STRIDE 4 /* in 32-bit words: registers are 16 bytes apart */
#define PROC_TOGGLED (CTRL(PROC, TPR_SHADOW) | CTRL(PROC, CR8_LOAD_EXITING) | CTRL(PROC, CR8_STORE_EXITING))

static u32 *word(const struct lkx_lapic *l, u32 reg)
{
	return &l->page[reg * PAGE_STRIDE];
}

void lkx_lapic_unload(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;
	u32 i;

	if (!l->in_page)
		return;
	l->in_page = false;
	for (i = 0; i < 4; i++)
		l->isr[i] = *word(l, LAPIC_ISR + 2 * i) | (u64)*word(l, LAPIC_ISR + 2 * i + 1) << 32;
	l->reg[LAPIC_TPR] = *word(l, LAPIC_TPR) & 0xff;
	v->cr8 = l->reg[LAPIC_TPR] >> 4;
}

void lkx_lapic_recall(struct lkx_vcpu *v)
{
	v->lapic->registers_in_page = false;
	if (!v->lapic->in_page)
		return;
	lkx_lapic_unload(v);
	lkx_request(v, LKX_REQUEST_LAPIC);
}

void lkx_lapic_leave(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;

	lkx_lapic_see_eoi(v);
	if (l->in_page)
		v->cr8 = *word(l, LAPIC_TPR) >> 4 & 15;
}

void lkx_lapic_follow_routes(struct lkx_vcpu *v)
{
	const struct lkx_routes *table;
	u32 i;

	plat_rcu_lock(v->hw);
	table = plat_rcu_load(v->hw, v->vm->routes);
	for (i = 0; i < 4; i++)
		hw_vmwrite(v->hw, VMCS_EOI_EXIT_BITMAP0 + 2 * i, table ? table->level[i] : 0);
	plat_rcu_unlock(v->hw);
}

static void toggle(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;

	lkx_lapic_unload(v);
	l->active = !l->active;
	v->proc_controls ^= PROC_TOGGLED;
	vmcs_write32(v->hw, PROC_CONTROLS, v->proc_controls);
	vmcs_write32(v->hw, PROC2_CONTROLS, vmcs_read32(v->hw, PROC2_CONTROLS) ^ LKX_APIC_VIRTUALIZATION);
	lkx_msr_bitmap_follow(v);
	lkx_lapic_follow_routes(v);
}

void lkx_lapic_load(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;
	u32 i;

	if (l->active != (lkx_lapic_virtual(v) && !lkx_lapic_holds_back(v)))
		toggle(v);
	if (!l->active || l->in_page)
		return;
	for (i = 0; i < LAPIC_REGISTERS && !l->registers_in_page; i++)
		*word(l, i) = l->reg[i];
	l->in_page = l->registers_in_page = true;
	*word(l, LAPIC_TPR) = l->reg[LAPIC_TPR];
	for (i = 0; i < 4; i++) {
		*word(l, LAPIC_ISR + 2 * i) = l->isr[i];
		*word(l, LAPIC_ISR + 2 * i + 1) = l->isr[i] >> 32;
	}
	/* SVI is what is in service, or 0. The processor finds its PPR at entry. */
	vmcs_write16(v->hw, GUEST_INTERRUPT_STATUS, max(lkx_lapic_in_service(v), 0) << 8);
}

void lkx_lapic_pass_through(u8 *page)
{
	u32 reg;

	for (reg = 0; reg < LAPIC_REGISTERS; reg++)
		if (lkx_lapic_reads_plainly(reg))
			page[(LAPIC_MSR_FIRST + reg) / 8] &= ~(1u << (reg % 8));
	/* Writes. */
	page[2048 + (LAPIC_MSR_FIRST + LAPIC_TPR) / 8] &= ~(1u << (LAPIC_TPR % 8) | 1u << (LAPIC_EOI % 8));
}
