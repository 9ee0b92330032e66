/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Every difference between the kernels this module is built for, and nothing else. Debian backports: tested by feature where a version number lies. */
#ifndef LKX_LINUX_COMPAT_H
#define LKX_LINUX_COMPAT_H

#include <linux/cpuhotplug.h>
#include <linux/hardirq.h>
#include <linux/rcupdate.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <linux/version.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>

/*
 * Our moment in CPU hotplug has to be one at which no task is left on the CPU and interrupts are off. Only fixed
 * states are; KVM has its own, so this is the one of a device that no x86 machine has.
 */
#define LKX_CPUHP_STATE CPUHP_AP_ARM_CORESIGHT_STARTING

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define lkx_rcu_note_guest() rcu_virt_note_context_switch()
#else
#define lkx_rcu_note_guest() rcu_virt_note_context_switch(smp_processor_id())
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define lkx_eventfd_signal(ctx) eventfd_signal(ctx)
#else
#define lkx_eventfd_signal(ctx) eventfd_signal(ctx, 1)
#endif

/* The caller sets its functions between the first and the second, and gives it to the third whatever that said. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define lkx_shrinker_alloc() shrinker_alloc(0, "likex")
#define lkx_shrinker_free(s) shrinker_free(s)

static inline int lkx_shrinker_register(struct shrinker *s)
{
	shrinker_register(s);
	return 0;
}
#else
#define lkx_shrinker_alloc() ((struct shrinker *)kzalloc(sizeof(struct shrinker), GFP_KERNEL))
#define lkx_shrinker_register(s) register_shrinker(s, "likex")

static inline void lkx_shrinker_free(struct shrinker *s)
{
	if (s)
		unregister_shrinker(s);
	kfree(s);
}
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define lkx_hrtimer_setup(timer, f, clock, mode) hrtimer_setup(timer, f, clock, mode)
#else
#define lkx_hrtimer_setup(timer, f, clock, mode)   \
	do {                                       \
		hrtimer_init(timer, clock, mode);  \
		(timer)->function = f;             \
	} while (0)
#endif

/*
 * Whether the module can call the host's interrupt handlers, and send interrupts of a vector that nobody else uses: that of stock KVM, whose handler
 * the kernel has where KVM was configured. With FRED handlers are not in the IDT.
 */
static inline bool lkx_can_take_interrupts(void)
{
#if IS_ENABLED(CONFIG_KVM)
#ifdef X86_FEATURE_FRED
	return !cpu_feature_enabled(X86_FEATURE_FRED);
#else
	return true;
#endif
#else
	return false;
#endif
}

/* emergency.c */
#define LKX_STOCK_TAKES_SLOT_AT_LOAD (LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0))

/* Between the two, grace periods are waited for by asking the CPUs instead of watching them. Exported, but declared only in kernel/rcu/rcu.h. */
void rcu_expedite_gp(void);
void rcu_unexpedite_gp(void);

/* A guest ran here: user space needs an IBPB before it runs again (VMSCAPE). */
static inline void lkx_note_guest_ran(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

/* The kernel's interrupts since the last question may have left secrets in this CPU's L1D; they say so where KVM was configured. */
static __always_inline bool lkx_interrupts_touched_l1d(void)
{
#if IS_ENABLED(CONFIG_KVM_INTEL)
	bool touched = kvm_get_cpu_l1tf_flush_l1d();

	kvm_clear_cpu_l1tf_flush_l1d();
	return touched;
#else
	return true;
#endif
}

/*
 * The thread's extended state, and whether nothing but one XSAVE and one XRSTOR is to be done when it changes. Only of kernels that were looked
 * at: on newer ones the kernel's own function does all.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define lkx_fpu_is_simple() (cpu_feature_enabled(X86_FEATURE_XSAVE) && !cpu_feature_enabled(X86_FEATURE_XFD))
#else
#define lkx_fpu_is_simple() false
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define lkx_thread_fpu() (&current->thread.fpu)
#else
#define lkx_thread_fpu() x86_task_fpu(current)
#endif

/* MSRs that every processor with VMX has, without the tracepoint and the call that rdmsrl() comes with. */
static inline u64 lkx_rdmsr(u32 msr)
{
	return __rdmsr(msr);
}

static inline void lkx_wrmsr(u32 msr, u64 value)
{
	__wrmsr(msr, (u32)value, value >> 32);
}

/* vmx_cpu.c */
int lkx_syscore_suspend(void);
void lkx_syscore_resume(void);
void lkx_register_syscore(void);
void lkx_unregister_syscore(void);

#endif
