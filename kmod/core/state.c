// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "state.h"
#include "cr.h"
#include "events.h"
#include "guest_memory.h"
#include "lapic.h"
#include "msr.h"

void lkx_get_regs(struct lkx_vcpu *v, struct kvm_regs *r)
{
	const u64 *g = v->regs.gpr;

	*r = (struct kvm_regs){
		.rax = g[RAX], .rbx = g[RBX], .rcx = g[RCX], .rdx = g[RDX], .rsi = g[RSI], .rdi = g[RDI],
		.rsp = lkx_gpr(v, RSP), .rbp = g[RBP], .r8 = g[R8], .r9 = g[R9], .r10 = g[R10], .r11 = g[R11],
		.r12 = g[R12], .r13 = g[R13], .r14 = g[R14], .r15 = g[R15],
		.rip = lkx_rip(v), .rflags = lkx_rflags(v),
	};
}

void lkx_set_regs(struct lkx_vcpu *v, const struct kvm_regs *r)
{
	u64 *g = v->regs.gpr;

	g[RAX] = r->rax;
	g[RBX] = r->rbx;
	g[RCX] = r->rcx;
	g[RDX] = r->rdx;
	g[RSI] = r->rsi;
	g[RDI] = r->rdi;
	g[RBP] = r->rbp;
	g[R8] = r->r8;
	g[R9] = r->r9;
	g[R10] = r->r10;
	g[R11] = r->r11;
	g[R12] = r->r12;
	g[R13] = r->r13;
	g[R14] = r->r14;
	g[R15] = r->r15;
	lkx_wake(v);
	lkx_set_gpr(v, RSP, r->rsp);
	lkx_set_rip(v, r->rip);
	vmcs_writen(v->hw, GUEST_RFLAGS, r->rflags | RFLAGS_FIXED1);
	/* An exception that was to be raised at the old RIP has lost its instruction. */
	v->events.exception_pending = false;
	v->stepped = false;
}

/* The fields of one kind are 2 apart, in the order of enum lkx_seg. */
static void get_segment(struct lkx_vcpu *v, enum lkx_seg seg, struct kvm_segment *s)
{
	u32 ar = hw_vmread(v->hw, VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * seg);

	*s = (struct kvm_segment){
		.base = hw_vmread(v->hw, VMCS_GUEST_ES_BASE + 2 * seg),
		.limit = hw_vmread(v->hw, VMCS_GUEST_ES_LIMIT + 2 * seg),
		.selector = hw_vmread(v->hw, VMCS_GUEST_ES_SELECTOR + 2 * seg),
		.type = ar & 15,
		.s = (ar >> 4) & 1,
		.dpl = (ar >> 5) & 3,
		.avl = (ar >> 12) & 1,
		.l = (ar >> 13) & 1,
		.db = (ar >> 14) & 1,
		.g = (ar >> 15) & 1,
		.unusable = (ar >> 16) & 1,
		/* VMMs that do not carry `unusable` around carry `present`. */
		.present = !((ar >> 16) & 1),
	};
}

static void set_segment(struct lkx_vcpu *v, enum lkx_seg seg, const struct kvm_segment *s)
{
	u32 type = s->type & 15, ar;

	/* Loaded segments are accessed; VM entry insists, and not every VMM remembers. */
	if (seg != SEG_LDTR)
		type |= 1;
	ar = type | (s->s & 1) << 4 | (s->dpl & 3) << 5 | (s->present & 1) << 7 | (s->avl & 1) << 12 |
	     (s->l & 1) << 13 | (s->db & 1) << 14 | (s->g & 1) << 15;
	if (s->unusable || !s->present)
		ar |= AR_UNUSABLE;
	hw_vmwrite(v->hw, VMCS_GUEST_ES_BASE + 2 * seg, s->base);
	hw_vmwrite(v->hw, VMCS_GUEST_ES_LIMIT + 2 * seg, s->limit);
	hw_vmwrite(v->hw, VMCS_GUEST_ES_SELECTOR + 2 * seg, s->selector);
	hw_vmwrite(v->hw, VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * seg, ar);
}

/* KVM_GET_SREGS's and KVM_GET_SREGS2's struct begin alike. */
#define SREGS_COMMON offsetof(struct kvm_sregs2, flags)
_Static_assert(SREGS_COMMON == offsetof(struct kvm_sregs, interrupt_bitmap), "struct kvm_sregs2 begins as struct kvm_sregs");

void lkx_get_sregs2(struct lkx_vcpu *v, struct kvm_sregs2 *s)
{
	struct lkx_hw *hw = v->hw;

	memset(s, 0, sizeof(*s));
	get_segment(v, SEG_CS, &s->cs);
	get_segment(v, SEG_DS, &s->ds);
	get_segment(v, SEG_ES, &s->es);
	get_segment(v, SEG_FS, &s->fs);
	get_segment(v, SEG_GS, &s->gs);
	get_segment(v, SEG_SS, &s->ss);
	get_segment(v, SEG_TR, &s->tr);
	get_segment(v, SEG_LDTR, &s->ldt);
	s->gdt.base = vmcs_readn(hw, GUEST_GDTR_BASE);
	s->gdt.limit = vmcs_read32(hw, GUEST_GDTR_LIMIT);
	s->idt.base = vmcs_readn(hw, GUEST_IDTR_BASE);
	s->idt.limit = vmcs_read32(hw, GUEST_IDTR_LIMIT);
	s->cr0 = lkx_cr0(v);
	s->cr2 = v->cr2;
	s->cr3 = vmcs_readn(hw, GUEST_CR3);
	s->cr4 = lkx_cr4(v);
	if (v->lapic)
		lkx_lapic_recall(v);
	s->cr8 = v->cr8;
	s->efer = v->efer;
	s->apic_base = v->apic_base;
	if (lkx_pae_paging(v)) {
		s->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
		s->pdptrs[0] = vmcs_read64(hw, GUEST_PDPTE0);
		s->pdptrs[1] = vmcs_read64(hw, GUEST_PDPTE1);
		s->pdptrs[2] = vmcs_read64(hw, GUEST_PDPTE2);
		s->pdptrs[3] = vmcs_read64(hw, GUEST_PDPTE3);
	}
}

void lkx_get_sregs(struct lkx_vcpu *v, struct kvm_sregs *s)
{
	const struct lkx_events *e = &v->events;
	struct kvm_sregs2 common;

	lkx_get_sregs2(v, &common);
	memcpy(s, &common, SREGS_COMMON);
	memset(s->interrupt_bitmap, 0, sizeof(s->interrupt_bitmap));
	if ((e->interrupt_injected && !e->interrupt_soft) || e->interrupt_pending)
		s->interrupt_bitmap[e->interrupt_vector / 64] |= 1ull << (e->interrupt_vector % 64);
}

static bool sregs_valid(struct lkx_vcpu *v, const struct kvm_sregs2 *s)
{
	if (!lkx_cr0_valid(s->cr0) || !lkx_cr4_valid(v, s->cr4) || !lkx_efer_valid(v, s->efer))
		return false;
	if ((s->efer & EFER_LME_BIT) && (s->cr0 & CR0_PG)) {
		/* Long mode is on, and then wholly. */
		if (!(s->cr4 & CR4_PAE) || !(s->efer & EFER_LMA_BIT))
			return false;
		return !(s->cr3 >> 52);
	}
	return !(s->efer & EFER_LMA_BIT) && !s->cs.l;
}

int lkx_set_sregs2(struct lkx_vcpu *v, const struct kvm_sregs2 *s)
{
	bool pae = (s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE) && !(s->efer & EFER_LMA_BIT);
	bool pdptrs = s->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
	struct lkx_hw *hw = v->hw;

	if ((s->flags & ~(u64)KVM_SREGS2_FLAGS_PDPTRS_VALID) || (pdptrs && !pae))
		return -EINVAL;
	if (!sregs_valid(v, s) || lkx_msr_set(v, MSR_INDEX_IA32_APIC_BASE, s->apic_base, false))
		return -EINVAL;
	lkx_wake(v);
	vmcs_writen(hw, GUEST_IDTR_BASE, s->idt.base);
	vmcs_write32(hw, GUEST_IDTR_LIMIT, s->idt.limit);
	vmcs_writen(hw, GUEST_GDTR_BASE, s->gdt.base);
	vmcs_write32(hw, GUEST_GDTR_LIMIT, s->gdt.limit);
	v->cr2 = s->cr2;
	lkx_cr8_set(v, s->cr8 & 15);
	lkx_efer_load(v, s->efer);
	lkx_cr0_load(v, s->cr0);
	lkx_cr4_load(v, s->cr4);
	vmcs_writen(hw, GUEST_CR3, s->cr3);
	/* Tables that are not there yet make the VM entry fail, and that says so; as do reserved bits of those given. */
	if (pdptrs) {
		vmcs_write64(hw, GUEST_PDPTE0, s->pdptrs[0]);
		vmcs_write64(hw, GUEST_PDPTE1, s->pdptrs[1]);
		vmcs_write64(hw, GUEST_PDPTE2, s->pdptrs[2]);
		vmcs_write64(hw, GUEST_PDPTE3, s->pdptrs[3]);
	} else if (pae) {
		lkx_pdptes_load(v, s->cr3);
	}
	v->tlb_generation = LKX_TLB_STALE;

	set_segment(v, SEG_CS, &s->cs);
	set_segment(v, SEG_DS, &s->ds);
	set_segment(v, SEG_ES, &s->es);
	set_segment(v, SEG_FS, &s->fs);
	set_segment(v, SEG_GS, &s->gs);
	set_segment(v, SEG_SS, &s->ss);
	set_segment(v, SEG_TR, &s->tr);
	set_segment(v, SEG_LDTR, &s->ldt);
	return 0;
}

int lkx_set_sregs(struct lkx_vcpu *v, const struct kvm_sregs *s)
{
	struct kvm_sregs2 common = { .flags = 0 };
	unsigned int i;

	memcpy(&common, s, SREGS_COMMON);
	if (lkx_set_sregs2(v, &common))
		return -EINVAL;
	for (i = 0; i < 256; i++)
		if (s->interrupt_bitmap[i / 64] >> (i % 64) & 1) {
			lkx_queue_interrupt(v, i);
			break;
		}
	return 0;
}

void lkx_translate(struct lkx_vcpu *v, struct kvm_translation *t)
{
	struct lkx_walk_fault fault;
	u64 gpa = LKX_INVALID_ADDRESS;

	t->valid = !lkx_walk(v, t->linear_address, ACCESS_NOCHECK, &gpa, &fault);
	t->physical_address = t->valid ? gpa : LKX_INVALID_ADDRESS;
	t->writeable = 1;
	t->usermode = 0;
}
