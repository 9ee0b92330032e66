// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The moments of a run that belong to Linux: the hooks of plat.h between two laps and around VM entry. */
#include "compat.h"
#include "likex.h"
#include "mitigation.h"
#include "vcpu_load.h"
#include "vmx_cpu.h"
#include <linux/context_tracking.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/vtime.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/nospec-branch.h>
#include <asm/processor.h>

/*
 * What this module does by itself, the L1D flush and the IBPB between two guests, goes by this parameter. The rest (VERW, return stack,
 * IBRS, branch history, IBPB before user space) is the kernel's alternatives in vmenter.S and compat.h: the host's command line decides.
 *
 * Stale data of MMIO (X86_BUG_MMIO_STALE_DATA) needs a VERW of its own, on hosts that need none for MDS, only for guests that reach the host's
 * MMIO. None does: memory without a struct page backs no slot (mm.c).
 */
static char *mitigations = "auto";
module_param(mitigations, charp, 0444);
MODULE_PARM_DESC(mitigations,
		 "against guests that read the host's caches and steer its branches: auto (default), as the host protects itself; full, at every VM entry; off");

/* Set once, by lkx_run_init. */
static enum lkx_l1d_flush l1d_flush;
bool lkx_guests_share_predictors;
DEFINE_STATIC_KEY_FALSE(lkx_entry_guarded);

/* What the host asks for: l1tf= of its command line, or its default. */
static enum lkx_l1d_flush host_l1d_flush(void)
{
	u64 capabilities = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, capabilities);
	/* A hypervisor below this kernel says that it does it. */
	if (l1tf_mitigation == L1TF_MITIGATION_OFF || (capabilities & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH))
		return LKX_L1D_NEVER;
	if (l1tf_mitigation == L1TF_MITIGATION_FULL || l1tf_mitigation == L1TF_MITIGATION_FULL_FORCE)
		return LKX_L1D_ALWAYS;
	return LKX_L1D_CONDITIONAL;
}

int lkx_run_init(void)
{
	enum lkx_mitigations m = lkx_mitigations_parse(mitigations);
	bool l1tf = boot_cpu_has_bug(X86_BUG_L1TF), can = boot_cpu_has(X86_FEATURE_FLUSH_L1D);

	if (m == LKX_MITIGATIONS_UNKNOWN) {
		pr_err("mitigations=%s: auto, full or off\n", mitigations);
		return -EINVAL;
	}
	l1d_flush = lkx_l1d_flush_choose(m, l1tf, can, host_l1d_flush());
	lkx_guests_share_predictors = m == LKX_MITIGATIONS_OFF;
	/* Context tracking is on from boot or never. */
	if (l1d_flush != LKX_L1D_NEVER || context_tracking_enabled())
		static_branch_enable(&lkx_entry_guarded);
	if (m == LKX_MITIGATIONS_OFF)
		pr_warn("mitigations=off: no L1D flush and no IBPB between guests; they may read what is not theirs\n");
	else if (l1tf && !can && l1tf_mitigation != L1TF_MITIGATION_OFF)
		pr_warn("this processor has L1TF and no L1D flush: a guest may read host memory from the cache; update its microcode\n");
	return 0;
}

int lkx_run_work(struct lkx_vcpu *v)
{
	linux_vcpu(v)->l1d_touched = true;
	return lkx_run_poll();
}

bool plat_entry_begin(struct lkx_vcpu *v)
{
	struct linux_vcpu *lv = linux_vcpu(v);

	preempt_disable();
	lkx_switch_to_guest(lv);
	local_irq_disable();
	/* Not on this CPU: it is on its way down, or VMXON failed on it. Let the scheduler find another. */
	if (unlikely(!lv->loaded || !this_cpu_read(lkx_cpu.vmx_on))) {
		local_irq_enable();
		preempt_enable();
		cond_resched();
		return false;
	}
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
	lkx_host_state_of_entry(lv);
	vtime_account_guest_enter();
	return true;
}

static __always_inline void flush_l1d(struct lkx_vcpu *v)
{
	struct linux_vcpu *lv = linux_vcpu(v);
	bool touched = lv->l1d_touched || lkx_exit_touches_host(v->exit.reason) || lkx_interrupts_touched_l1d();

	lv->l1d_touched = false;
	if (touched || l1d_flush == LKX_L1D_ALWAYS)
		native_wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
}

/*
 * VM entry, as context tracking sees it: guest mode is as quiescent as user mode. Nothing that can be traced may run
 * between enter and exit. (Without context tracking RCU is told by plat_entry_end.) And with the flush that L1TF asks for.
 */
noinstr bool lkx_enter_guest_guarded(struct lkx_regs *regs, bool launched)
{
	bool failed;

	if (l1d_flush != LKX_L1D_NEVER)
		flush_l1d(container_of(regs, struct lkx_vcpu, regs));
	context_tracking_guest_enter();
	failed = lkx_vmenter(regs, launched);
	context_tracking_guest_exit();
	return failed;
}

void plat_host_event(struct lkx_vcpu *v, u32 info)
{
	/* The processor took the exit instead of delivering it; the host's handlers have to run on this very CPU. */
	if ((info & INTR_INFO_TYPE) == INTR_TYPE_NMI)
		asm volatile("int $2");
	else if ((info & INTR_INFO_TYPE) == INTR_TYPE_HARD_EXCEPTION && (info & INTR_INFO_VECTOR) == VECTOR_MC)
		asm volatile("int $18");
}

void lkx_call_handler(unsigned long handler); /* vmenter.S */

/* The interrupt that ended the lap, where the processor has acknowledged it: no other will come for it. */
static void take_acknowledged(struct lkx_vcpu *v)
{
	const gate_desc *idt = (const gate_desc *)this_cpu_read(lkx_cpu.idt.address);
	u8 vector = v->exit.interruption_info & INTR_INFO_VECTOR;

	/* Once. An entry that is put off ends in plat_entry_end with the exit before it. */
	v->exit.interruption_info = 0;
	lkx_call_handler(gate_offset(&idt[vector]));
}

void plat_entry_end(struct lkx_vcpu *v)
{
	struct linux_vcpu *lv = linux_vcpu(v);

	/* VM exit clears DEBUGCTL. SDM vol. 3, 28.5.1. */
	if (unlikely(lv->host_debugctl))
		update_debugctlmsr(lv->host_debugctl);
	lkx_note_guest_ran();
	if (v->exit.reason == EXIT_EXTERNAL_INTERRUPT || v->exit.reason == EXIT_PREEMPTION_TIMER) {
		/*
		 * RCU asks by the clock, whose interrupt finds this thread in the kernel if it ended a lap: what it interrupted was
		 * the guest, where no reader is. Between two such interrupts nobody wants to know.
		 */
		lkx_rcu_note_guest();
		/* The interrupt that ended the lap is taken here or in this window, so that its tick counts as the guest's time. */
		if (v->exit.interruption_info & INTR_INFO_VALID)
			take_acknowledged(v);
		local_irq_enable();
		asm volatile("nop");
		local_irq_disable();
	}
	vtime_account_guest_exit();
	local_irq_enable();
	preempt_enable();
}

u32 plat_cpu(struct lkx_vcpu *v)
{
	int cpu = linux_vcpu(v)->cpu;

	return cpu < 0 ? 0 : cpu;
}

static void kicked(void *unused)
{
	/* The interrupt itself was the message: the vCPU has left guest mode, and looks around before it enters again. */
}

void plat_kick_guests(struct lkx_vm *vm)
{
	u32 count = lkx_vm_vcpus(vm), i;
	int here = get_cpu();

	/* Pairs with the barrier between v->mode and the look at what changed, in run.c. */
	smp_mb();
	for (i = 0; i < count; i++) {
		struct linux_vcpu *lv = linux_vcpu(vm->vcpu[i]);
		int cpu = READ_ONCE(lv->cpu);

		if (plat_load32(&lv->core.mode) == LKX_IN_GUEST && cpu >= 0 && cpu != here)
			smp_call_function_single(cpu, kicked, NULL, 1);
	}
	put_cpu();
}

/* --- debug registers --- */

void hw_load_debug_registers(struct lkx_hw *hw, const u64 dr[4], u64 dr6)
{
	/* The host's DR7 is off until its own breakpoints come back. */
	set_debugreg(0, 7);
	set_debugreg(dr[0], 0);
	set_debugreg(dr[1], 1);
	set_debugreg(dr[2], 2);
	set_debugreg(dr[3], 3);
	set_debugreg(dr6, 6);
}

u64 hw_save_dr6(struct lkx_hw *hw)
{
	unsigned long dr6;

	get_debugreg(dr6, 6);
	return dr6;
}

void hw_restore_host_debug_registers(struct lkx_hw *hw)
{
	set_debugreg(DR6_RESERVED, 6);
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
}

/* --- what the host has --- */

u64 plat_guest_xcr0(struct lkx_hw *hw)
{
	return boot_cpu_has(X86_FEATURE_XSAVE) ? xgetbv(XCR_XFEATURE_ENABLED_MASK) : XCR0_X87 | XCR0_SSE;
}

u32 plat_tsc_khz(struct lkx_hw *hw)
{
	return tsc_khz;
}
