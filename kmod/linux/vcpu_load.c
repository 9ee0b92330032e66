// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "pv.h"
#include "vcpu_load.h"
#include "vmx_cpu.h"
#include <linux/smp.h>
#include <asm/nospec-branch.h>

/* On the CPU whose processor holds it, interrupts off. */
static void clear_here(struct linux_vcpu *lv)
{
	hw_vmclear(NULL, lv->vmcs_pa);
	lv->core.launched = false;
	if (this_cpu_read(lkx_cpu.current_vmcs) == lv)
		this_cpu_write(lkx_cpu.current_vmcs, NULL);
	list_del(&lv->loaded_link);
	/* Whoever loads it elsewhere after reading -1 sees the VMCS in memory. */
	smp_store_release(&lv->cpu, -1);
}

static void clear_ipi(void *info)
{
	struct linux_vcpu *lv = info;

	/* The CPU may have gone down and cleared everything meanwhile. */
	if (lv->cpu == smp_processor_id())
		clear_here(lv);
}

void lkx_vmcs_clear(struct linux_vcpu *lv)
{
	int cpu = smp_load_acquire(&lv->cpu);

	/* Fails when the CPU has gone offline: then it has cleared the VMCS itself. */
	if (cpu >= 0)
		smp_call_function_single(cpu, clear_ipi, lv, 1);
}

void lkx_vmcs_clear_all_here(void)
{
	struct lkx_cpu *cpu = this_cpu_ptr(&lkx_cpu);
	struct linux_vcpu *lv, *next;

	list_for_each_entry_safe(lv, next, &cpu->loaded, loaded_link)
		clear_here(lv);
}

/* Preemption off. */
static noinline void load_elsewhere(struct linux_vcpu *lv)
{
	struct lkx_cpu *cpu = this_cpu_ptr(&lkx_cpu);
	bool moved = lv->cpu != smp_processor_id();
	unsigned long flags;

	if (moved)
		lkx_vmcs_clear(lv);
	local_irq_save(flags);
	if (unlikely(!cpu->vmx_on)) {
		/* This CPU could not be brought into VMX operation. Entry is refused; VMCS accesses fail harmlessly. */
		local_irq_restore(flags);
		lv->loaded = false;
		return;
	}
	if (moved) {
		list_add(&lv->loaded_link, &cpu->loaded);
		lv->cpu = smp_processor_id();
	}
	if (cpu->current_vmcs != lv) {
		hw_vmptrld(NULL, lv->vmcs_pa);
		cpu->current_vmcs = lv;
		/* Another guest's branches must not steer this one's. */
		if (!lkx_guests_share_predictors)
			indirect_branch_prediction_barrier();
	}
	lv->loaded = true;
	local_irq_restore(flags);
	if (moved) {
		lv->core.tlb_generation = LKX_TLB_STALE;
		if (lv->core.timer_tsc)
			lv->core.timer_tsc = LKX_TIMER_STALE;
		lkx_pv_moved(&lv->core);
		lkx_host_state_of_cpu(lv);
	}
}

/* Preemption off. */
static void load_here(struct linux_vcpu *lv)
{
	/*
	 * Still current here: nobody has cleared it or put another in its place, which takes an interrupt on this CPU and
	 * changes this pointer (clear_here), and to clear it from elsewhere the vCPU's lock. VMX may go off at any time; entry looks again.
	 */
	if (likely(this_cpu_read(lkx_cpu.current_vmcs) == lv && this_cpu_read(lkx_cpu.vmx_on)))
		lv->loaded = true;
	else
		load_elsewhere(lv);
}

static void sched_in(struct preempt_notifier *pn, int cpu)
{
	struct linux_vcpu *lv = container_of(pn, struct linux_vcpu, preempt);

	load_here(lv);
	lkx_pv_scheduled_in(&lv->core);
}

static void sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct linux_vcpu *lv = container_of(pn, struct linux_vcpu, preempt);

	lkx_switch_to_host(lv);
	lv->loaded = false;
	lkx_pv_scheduled_out(&lv->core);
}

static struct preempt_ops preempt_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};

void lkx_vcpu_load(struct linux_vcpu *lv)
{
	preempt_disable();
	lv->preempt.ops = &preempt_ops;
	preempt_notifier_register(&lv->preempt);
	load_here(lv);
	preempt_enable();
}

void lkx_vcpu_put(struct linux_vcpu *lv)
{
	preempt_disable();
	lkx_switch_to_host(lv);
	lv->loaded = false;
	preempt_notifier_unregister(&lv->preempt);
	preempt_enable();
}
