// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The thread's extended registers become the guest's for the time of KVM_RUN, and back.
 *
 * Always, not only when the guest first touches them: with CR0.TS set in the guest and the host's registers left in place, loads
 * run ahead of #NM would read the host's on most processors that this is for (CVE-2018-3665, lazy FP state restore).
 *
 * The kernel's own fpu_swap_kvm_fpstate does it in 142 instructions; where nothing special is to be thought of (AMX, whose state comes
 * and goes; no XSAVE, whose image is another), these are 32.
 * What counts for the rest of the kernel is what that leaves: the thread's registers are those of fpu->fpstate, this CPU
 * has them (TIF_NEED_FPU_LOAD clear, as before), and __task_fpstate remembers the host's.
 */
#include "compat.h"
#include "fpu.h"
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/jump_label.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xstate.h>

/* The form of the instruction is the one that the kernel has chosen, as its own code reads the image. SDM vol. 1, 13.7 to 13.11. */
static __always_inline void save(struct fpstate *s)
{
	asm volatile(ALTERNATIVE_3("xsave64 (%[image])",
				   "xsaveopt64 (%[image])", X86_FEATURE_XSAVEOPT,
				   "xsavec64 (%[image])", X86_FEATURE_XSAVEC,
				   "xsaves64 (%[image])", X86_FEATURE_XSAVES)
		     : : [image] "D"(&s->regs.xsave), "a"((u32)s->xfeatures), "d"((u32)(s->xfeatures >> 32)) : "memory");
}

/* An image that the processor refuses cannot come here; if it did, the kernel's handler would load the initial state. */
static __always_inline void restore(struct fpstate *s)
{
	const u64 mask = XFEATURE_MASK_FPSTATE;

	asm volatile("1: " ALTERNATIVE("xrstor64 (%[image])", "xrstors64 (%[image])", X86_FEATURE_XSAVES) "\n2:\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FPU_RESTORE)
		     : : [image] "D"(&s->regs.xsave), "a"((u32)mask), "d"((u32)(mask >> 32)) : "memory");
}

/* Set at load, where one XSAVE and one XRSTOR are all there is to a switch. */
static DEFINE_STATIC_KEY_FALSE(simple);

void __init lkx_fpu_switch_init(void)
{
	if (lkx_fpu_is_simple())
		static_branch_enable(&simple);
}

/* Interrupts off, the registers are those of `from` and in this CPU. */
static __always_inline void change(struct fpu *fpu, struct fpstate *from, struct fpstate *to)
{
	save(from);
	/* /proc/PID/arch_status tells when. */
	if (unlikely(from->regs.xsave.header.xfeatures & XFEATURE_MASK_AVX512))
		fpu->avx512_timestamp = jiffies;
	fpu->fpstate = to;
	restore(to);
}

/*
 * Interrupts are off meanwhile: whoever else may want the registers of this CPU comes by one. If somebody had them since this thread, they
 * are in memory (TIF_NEED_FPU_LOAD), and the kernel knows what to do.
 */
void lkx_fpu_enter(struct linux_vcpu *lv)
{
	struct fpstate *guest = lv->fpu.fpstate, *host;
	struct fpu *fpu = lkx_thread_fpu();

	local_irq_disable();
	if (!static_branch_likely(&simple) || unlikely(test_thread_flag(TIF_NEED_FPU_LOAD))) {
		local_irq_enable();
		fpu_swap_kvm_fpstate(&lv->fpu, true);
		return;
	}
	host = fpu->fpstate;
	change(fpu, host, guest);
	fpu->__task_fpstate = host;
	guest->in_use = true;
	local_irq_enable();
}

void lkx_fpu_leave(struct linux_vcpu *lv)
{
	struct fpstate *guest = lv->fpu.fpstate;
	struct fpu *fpu = lkx_thread_fpu();

	local_irq_disable();
	if (!static_branch_likely(&simple) || unlikely(test_thread_flag(TIF_NEED_FPU_LOAD))) {
		local_irq_enable();
		fpu_swap_kvm_fpstate(&lv->fpu, false);
		return;
	}
	change(fpu, guest, fpu->__task_fpstate);
	fpu->__task_fpstate = NULL;
	guest->in_use = false;
	local_irq_enable();
}
