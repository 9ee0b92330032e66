// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vcpu.h"
#include "cpuid.h"
#include "cr.h"
#include "lapic.h"
#include "msr.h"
#include "pml.h"
#include "pv.h"

#define AR_DATA 0x93
#define AR_CODE 0x9b
#define AR_LDT 0x82
#define AR_BUSY_TSS 0x8b
#define MISC_ENABLE_NO_BTS BIT_ULL(11)
#define MISC_ENABLE_NO_PEBS BIT_ULL(12)
#define PAT_RESET 0x0007040600070406ull
#define RIP_RESET 0xfff0
#define CS_SELECTOR_RESET 0xf000
#define CS_BASE_RESET 0xffff0000
#define MAX_SUPPORTED_LEAVES 64

static void write_segment(struct lkx_hw *hw, enum lkx_seg seg, u16 selector, u64 base, u32 limit, u32 ar)
{
	/* The fields of one kind are 2 apart, in the order of enum lkx_seg. */
	hw_vmwrite(hw, VMCS_GUEST_ES_SELECTOR + 2 * seg, selector);
	hw_vmwrite(hw, VMCS_GUEST_ES_BASE + 2 * seg, base);
	hw_vmwrite(hw, VMCS_GUEST_ES_LIMIT + 2 * seg, limit);
	hw_vmwrite(hw, VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * seg, ar);
}

static void init_controls(struct lkx_vcpu *v)
{
	const struct lkx_vmx_caps *caps = v->vm->caps;
	struct lkx_hw *hw = v->hw;
	u32 pin = caps->pin, proc2 = caps->proc2, exit = caps->exit;

	if (caps->preemption_timer && (caps->preemption_ticks || (caps->apic_timer && v->vm->irqchip_split)))
		pin |= CTRL(PIN, PREEMPTION_TIMER);
	if (v->vpid)
		proc2 |= CTRL(PROC2, ENABLE_VPID);
	if (v->pml)
		proc2 |= CTRL(PROC2, ENABLE_PML);
	if (caps->acknowledge_interrupts)
		exit |= CTRL(EXIT, ACKNOWLEDGE_INTERRUPT);
	v->proc_controls = caps->proc;
	/* PAUSE never exits. */
	if (v->vm->disabled_exits & KVM_X86_DISABLE_EXITS_HLT)
		v->proc_controls &= ~CTRL(PROC, HLT_EXITING);
	if (v->vm->disabled_exits & KVM_X86_DISABLE_EXITS_MWAIT)
		v->proc_controls &= ~(CTRL(PROC, MWAIT_EXITING) | CTRL(PROC, MONITOR_EXITING));
	vmcs_write32(hw, PIN_CONTROLS, pin);
	vmcs_write32(hw, PROC_CONTROLS, v->proc_controls);
	vmcs_write32(hw, PROC2_CONTROLS, proc2);
	vmcs_write32(hw, EXIT_CONTROLS, exit);
	vmcs_write32(hw, ENTRY_CONTROLS, caps->entry);
	vmcs_write32(hw, EXCEPTION_BITMAP, EXCEPTIONS_THAT_EXIT);
	/* With the mask and match both 0 and #PF's bit clear, no page fault exits. */
	vmcs_write32(hw, PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write32(hw, PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write32(hw, CR3_TARGET_COUNT, 0);
	vmcs_write32(hw, EXIT_MSR_STORE_COUNT, 0);
	vmcs_write32(hw, EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write32(hw, ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write32(hw, ENTRY_INTERRUPTION_INFO, 0);
	/* A filter's page comes with the first entry: lkx_tlb_catch_up. */
	v->msr_bitmap_pa = caps->msr_bitmap_pa;
	vmcs_write64(hw, MSR_BITMAP, caps->msr_bitmap_pa);
	vmcs_write64(hw, EPT_POINTER, v->vm->ept.eptp);
	vmcs_write64(hw, VMCS_LINK_POINTER, ~0ull);
	if (v->vpid)
		vmcs_write16(hw, VPID, v->vpid);
	if (proc2 & CTRL(PROC2, ENCLS_EXITING))
		vmcs_write64(hw, ENCLS_EXITING_BITMAP, ~0ull);
	if (proc2 & CTRL(PROC2, ENCLV_EXITING))
		vmcs_write64(hw, ENCLV_EXITING_BITMAP, ~0ull);
	if (pin & CTRL(PIN, PREEMPTION_TIMER))
		vmcs_write32(hw, PREEMPTION_TIMER_VALUE, lkx_lap_limit(caps));
}

/* SDM vol. 3, table 9-1: what reset and INIT have in common. */
static void init_registers(struct lkx_vcpu *v, u64 cr0)
{
	struct lkx_hw *hw = v->hw;
	unsigned int seg;

	for (seg = SEG_ES; seg <= SEG_GS; seg++)
		write_segment(hw, seg, 0, 0, 0xffff, AR_DATA);
	write_segment(hw, SEG_CS, CS_SELECTOR_RESET, CS_BASE_RESET, 0xffff, AR_CODE);
	write_segment(hw, SEG_LDTR, 0, 0, 0xffff, AR_LDT);
	write_segment(hw, SEG_TR, 0, 0, 0xffff, AR_BUSY_TSS);
	vmcs_write32(hw, GUEST_GDTR_LIMIT, 0xffff);
	vmcs_write32(hw, GUEST_IDTR_LIMIT, 0xffff);
	vmcs_writen(hw, GUEST_GDTR_BASE, 0);
	vmcs_writen(hw, GUEST_IDTR_BASE, 0);
	vmcs_write32(hw, GUEST_INTERRUPTIBILITY, 0);
	vmcs_write32(hw, GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmcs_writen(hw, GUEST_PENDING_DEBUG, 0);
	vmcs_write64(hw, GUEST_IA32_DEBUGCTL, 0);
	vmcs_writen(hw, GUEST_DR7, DR7_FIXED1);
	vmcs_writen(hw, GUEST_RIP, RIP_RESET);
	vmcs_writen(hw, GUEST_RSP, 0);
	vmcs_writen(hw, GUEST_RFLAGS, RFLAGS_FIXED1);
	vmcs_writen(hw, GUEST_CR3, 0);
	v->regs.gpr[RDX] = 0x600; /* family 6: what reset leaves there */
	v->dr6 = DR6_FIXED1;
	lkx_efer_load(v, 0);
	lkx_cr0_load(v, cr0);
	lkx_cr4_load(v, 0);
}

static void init_guest_state(struct lkx_vcpu *v)
{
	struct lkx_hw *hw = v->hw;

	init_registers(v, CR0_CD | CR0_NW | CR0_ET);
	vmcs_write32(hw, GUEST_SYSENTER_CS, 0);
	vmcs_writen(hw, GUEST_SYSENTER_ESP, 0);
	vmcs_writen(hw, GUEST_SYSENTER_EIP, 0);
	vmcs_write64(hw, GUEST_IA32_PAT, PAT_RESET);
	v->xcr0 = XCR0_X87;
	v->apic_base = APIC_BASE_DEFAULT | APIC_BASE_ENABLE | (v->id == 0 ? APIC_BASE_BSP : 0);
	v->misc_enable = MISC_ENABLE_NO_BTS | MISC_ENABLE_NO_PEBS;
	v->bios_sign_id = BIOS_SIGN_ID_RESET;
	v->mp_state = KVM_MP_STATE_RUNNABLE;
}

void lkx_vcpu_init_reset(struct lkx_vcpu *v)
{
	u64 cr0 = lkx_cr0(v) & (CR0_CD | CR0_NW);
	struct lkx_events *e = &v->events;

	memset(v->regs.gpr, 0, sizeof(v->regs.gpr));
	memset(v->dr, 0, sizeof(v->dr));
	v->cr2 = 0;
	init_registers(v, cr0 | CR0_ET);
	/* What was on its way is forgotten. */
	e->exception_pending = e->interrupt_pending = e->exception_injected = e->interrupt_injected = e->nmi_injected = false;
	e->nmi_pending = 0;
	v->triple_fault = v->stepped = false;
	lkx_pv_reset(v);
	v->tlb_generation = LKX_TLB_STALE;
}

void lkx_vcpu_start_up(struct lkx_vcpu *v, u8 vector)
{
	vmcs_write16(v->hw, GUEST_CS_SELECTOR, vector << 8);
	vmcs_writen(v->hw, GUEST_CS_BASE, vector << 12);
	lkx_set_rip(v, 0);
}

int lkx_vcpu_init(struct lkx_vcpu *v)
{
	const struct lkx_vmx_caps *caps = v->vm->caps;
	int count;

	v->cpuid = plat_alloc(v->hw, MAX_SUPPORTED_LEAVES * sizeof(*v->cpuid));
	if (!v->cpuid)
		return -ENOMEM;
	count = lkx_cpuid_supported(v->hw, caps, v->cpuid, MAX_SUPPORTED_LEAVES);
	if (plat_warn_on(v->hw, count < 0))
		count = 0;
	v->cpuid_count = count;
	v->cpuid_default = true;
	v->tlb_generation = LKX_TLB_STALE;
	v->cpu_msrs_changed = true;

	if (caps->pml && lkx_pml_create(v))
		return -ENOMEM;
	init_controls(v);
	init_guest_state(v);
	lkx_cr_cpuid_changed(v);
	lkx_tsc_init(v);
	v->vm->has_vcpus = true;
	return lkx_lapic_create(v);
}

void lkx_after_exit(struct lkx_vcpu *v, bool failed)
{
	if (v->after_exit & LKX_AFTER_DEBUG) {
		v->dr6 = hw_save_dr6(v->hw);
		hw_restore_host_debug_registers(v->hw);
		v->after_exit &= ~LKX_AFTER_DEBUG;
	}
	/* Without an entry nothing was logged, and the VMCS may be why. */
	if (v->pml && !failed)
		lkx_pml_note(v);
}

void lkx_vcpu_destroy(struct lkx_vcpu *v)
{
	plat_free(v->hw, v->cpuid);
	v->cpuid = NULL;
	plat_free(v->hw, v->mce);
	v->mce = NULL;
	plat_page_free(v->hw, v->pml);
	lkx_lapic_destroy(v);
	lkx_ept_cache_drain(v->hw, &v->ept_cache);
}
