// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What each VM exit leads to, in one table; the handlers that are a line or two are here. */
#include "cr.h"
#include "events.h"
#include "exits.h"
#include "lapic.h"
#include "mmio.h"
#include "msr.h"
#include "pv.h"

/* What a hypercall nobody knows returns in RAX: KVM_ENOSYS and KVM_EPERM of <linux/kvm_para.h>. */
#define HYPERCALL_ENOSYS 1000
#define HYPERCALL_EPERM 1
#define HYPERCALL_KICK_CPU 5

void lkx_skip_instruction_at(struct lkx_vcpu *v, u64 old)
{
	struct lkx_hw *hw = v->hw;
	u64 rip = old + v->exit.instruction_length;
	u32 interruptibility = vmcs_read32(hw, GUEST_INTERRUPTIBILITY);

	/* Outside of 64-bit mode IP wraps at 4 GiB; keep the upper half as it was. */
	if (((old ^ rip) >> 32) && !lkx_is_64bit(v))
		rip = (u32)rip;
	lkx_set_rip(v, rip);
	if (interruptibility & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS))
		vmcs_write32(hw, GUEST_INTERRUPTIBILITY,
			     interruptibility & ~(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
	if (unlikely(lkx_rflags(v) & RFLAGS_TF)) {
		if (v->guest_debug & KVM_GUESTDBG_SINGLESTEP) {
			v->stepped = true;
			return;
		}
		v->dr6 |= DR6_BS;
		lkx_queue_exception(v, VECTOR_DB);
	}
}

static int exit_interrupt(struct lkx_vcpu *v)
{
	v->stats.irq_exits++; /* the host has taken it */
	return 1;
}

static int skip(struct lkx_vcpu *v)
{
	lkx_skip_instruction(v);
	return 1;
}

static int undefined(struct lkx_vcpu *v)
{
	lkx_inject_ud(v);
	return 1;
}

static int general_protection(struct lkx_vcpu *v)
{
	lkx_inject_gp(v);
	return 1;
}

/* Without a local APIC in the kernel, who wakes the guest is in user space. With one it waits before the next entry: lkx_lapic_look. */
static int exit_hlt(struct lkx_vcpu *v)
{
	v->stats.halt_exits++;
	lkx_skip_instruction(v);
	if (v->lapic) {
		v->mp_state = KVM_MP_STATE_HALTED;
		lkx_request(v, LKX_REQUEST_LAPIC);
		return 1;
	}
	v->run->exit_reason = KVM_EXIT_HLT;
	return 0;
}

static int exit_triple_fault(struct lkx_vcpu *v)
{
	v->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

static int exit_vmcall(struct lkx_vcpu *v)
{
	bool wide = lkx_is_64bit(v);
	u64 number = v->regs.gpr[RAX], result = -(u64)HYPERCALL_ENOSYS;

	if (lkx_cpl(v))
		result = -(u64)HYPERCALL_EPERM;
	else if (unlikely((wide ? number : (u32)number) == HYPERCALL_KICK_CPU))
		result = lkx_pv_kick(v, (u32)v->regs.gpr[RCX]);
	v->regs.gpr[RAX] = wide ? result : (u32)result;
	lkx_skip_instruction(v);
	return 1;
}

/* The host asked for exits it can do without, or a processor that has no way to say no: do what the instruction does. */
static int exit_rdtsc(struct lkx_vcpu *v)
{
	u64 tsc = lkx_tsc_read(v);

	v->regs.gpr[RAX] = (u32)tsc;
	v->regs.gpr[RDX] = tsc >> 32;
	if (v->exit.reason == EXIT_RDTSCP)
		v->regs.gpr[RCX] = (u32)v->tsc_aux;
	lkx_skip_instruction(v);
	return 1;
}

static int exit_invlpg(struct lkx_vcpu *v)
{
	v->tlb_generation = LKX_TLB_STALE;
	lkx_skip_instruction(v);
	return 1;
}

static int exit_xsetbv(struct lkx_vcpu *v)
{
	u64 value = v->regs.gpr[RDX] << 32 | (u32)v->regs.gpr[RAX];

	if (lkx_cpl(v) || (u32)v->regs.gpr[RCX] || lkx_xcr0_set(v, value)) {
		lkx_inject_gp(v);
		return 1;
	}
	lkx_skip_instruction(v);
	return 1;
}

/* Hardware task switches would have to be emulated whole. */
static int exit_task_switch(struct lkx_vcpu *v)
{
	return lkx_emulation_exit(v);
}

int lkx_exit_unexpected(struct lkx_vcpu *v)
{
	struct kvm_run *run = v->run;

	plat_debug(v->hw, "likex: unexpected exit %u, qualification %#llx\n", v->exit.reason,
		   (unsigned long long)v->exit.qualification);
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON;
	run->internal.ndata = 2;
	run->internal.data[0] = v->exit.reason;
	run->internal.data[1] = plat_cpu(v);
	return 0;
}

static int (*const handlers[EXIT_REASON_COUNT])(struct lkx_vcpu *) = {
	[EXIT_EXCEPTION_NMI] = lkx_exit_exception,
	[EXIT_EXTERNAL_INTERRUPT] = exit_interrupt,
	[EXIT_TRIPLE_FAULT] = exit_triple_fault,
	[EXIT_INTERRUPT_WINDOW] = lkx_exit_interrupt_window,
	[EXIT_NMI_WINDOW] = lkx_exit_nmi_window,
	[EXIT_TASK_SWITCH] = exit_task_switch,
	[EXIT_CPUID] = lkx_exit_cpuid,
	[EXIT_GETSEC] = undefined,
	[EXIT_HLT] = exit_hlt,
	[EXIT_INVD] = skip,
	[EXIT_INVLPG] = exit_invlpg,
	[EXIT_RDPMC] = general_protection,
	[EXIT_RDTSC] = exit_rdtsc,
	[EXIT_RSM] = undefined,
	[EXIT_VMCALL] = exit_vmcall,
	[EXIT_VMCLEAR] = undefined,
	[EXIT_VMLAUNCH] = undefined,
	[EXIT_VMPTRLD] = undefined,
	[EXIT_VMPTRST] = undefined,
	[EXIT_VMREAD] = undefined,
	[EXIT_VMRESUME] = undefined,
	[EXIT_VMWRITE] = undefined,
	[EXIT_VMXOFF] = undefined,
	[EXIT_VMXON] = undefined,
	[EXIT_CR_ACCESS] = lkx_exit_cr,
	[EXIT_DR_ACCESS] = lkx_exit_dr,
	[EXIT_IO_INSTRUCTION] = lkx_exit_io,
	[EXIT_MSR_READ] = lkx_exit_rdmsr,
	[EXIT_MSR_WRITE] = lkx_exit_wrmsr,
	[EXIT_MWAIT] = skip, /* as NOP: waiting here would need something to wake it */
	[EXIT_MONITOR] = skip,
	[EXIT_PAUSE] = skip,
	[EXIT_APIC_ACCESS] = lkx_exit_virtual_apic,
	[EXIT_VIRTUALIZED_EOI] = lkx_exit_virtual_apic,
	[EXIT_EPT_VIOLATION] = lkx_exit_ept_violation,
	[EXIT_INVEPT] = undefined,
	[EXIT_RDTSCP] = exit_rdtsc,
	[EXIT_PREEMPTION_TIMER] = lkx_exit_preemption_timer,
	[EXIT_INVVPID] = undefined,
	[EXIT_WBINVD] = skip, /* EPT says write-back: nothing a guest has to flush */
	[EXIT_XSETBV] = exit_xsetbv,
	[EXIT_RDRAND] = undefined,
	[EXIT_APIC_WRITE] = lkx_exit_virtual_apic,
	[EXIT_INVPCID] = undefined,
	[EXIT_VMFUNC] = undefined,
	[EXIT_ENCLS] = undefined,
	[EXIT_RDSEED] = undefined,
	[EXIT_PML_FULL] = lkx_exit_pml_full,
	[EXIT_XSAVES] = undefined,
	[EXIT_XRSTORS] = undefined,
	[EXIT_UMWAIT] = undefined,
	[EXIT_TPAUSE] = undefined,
	[EXIT_ENCLV] = undefined,
};

int lkx_exit_dispatch(struct lkx_vcpu *v)
{
	u32 reason = v->exit.reason;

	/* An indirect call is dear where the host defends itself against branch injection: not for the common ones. */
	switch (reason) {
	case EXIT_IO_INSTRUCTION:
		return lkx_exit_io(v);
	case EXIT_EPT_VIOLATION:
		return lkx_exit_ept_violation(v);
	case EXIT_CPUID:
		return lkx_exit_cpuid(v);
	case EXIT_HLT:
		return exit_hlt(v);
	case EXIT_EXTERNAL_INTERRUPT:
		return exit_interrupt(v);
	}
	if (reason == EXIT_MSR_READ)
		return lkx_exit_rdmsr(v);
	if (reason == EXIT_MSR_WRITE)
		return lkx_exit_wrmsr(v);
	/* VM entry loaded guest state and found it wrong: the VMM's doing. SDM vol. 3, 27.8. */
	if (unlikely(reason & EXIT_REASON_ENTRY_FAILED)) {
		plat_debug(v->hw, "likex: VM entry failed, reason %#x, qualification %#llx\n", reason,
			   (unsigned long long)v->exit.qualification);
		v->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
		v->run->fail_entry.hardware_entry_failure_reason = reason;
		v->run->fail_entry.cpu = plat_cpu(v);
		return 0;
	}
	/* Bits above the basic reason (enclave, bus lock, ...) are of features that are not enabled. */
	if (reason >= EXIT_REASON_COUNT || !handlers[reason])
		return lkx_exit_unexpected(v);
	return handlers[reason](v);
}
