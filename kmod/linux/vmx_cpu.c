// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmx_cpu.h"
#include "compat.h"
#include "lapic.h"
#include "likex.h"
#include "msr.h"
#include "vcpu_load.h"
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/moduleparam.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <asm/desc.h>
#include <asm/perf_event.h>
#include <asm/tlbflush.h>

static unsigned int preemption_timer;
module_param(preemption_timer, uint, 0444);
MODULE_PARM_DESC(preemption_timer,
		 "TSC ticks after which a guest leaves guest mode at the latest, by the VMX preemption timer; 0 (default): no bound");

DEFINE_PER_CPU(struct lkx_cpu, lkx_cpu);
struct lkx_vmx_caps lkx_caps;

static bool virtual_interrupts = true;
module_param(virtual_interrupts, bool, 0444);
MODULE_PARM_DESC(virtual_interrupts, "guests' local APICs by the processor, where it can");

static bool pml;
module_param(pml, bool, 0444);
MODULE_PARM_DESC(pml, "the dirty log by page-modification logging, where the processor has it; 0 (default): by write protection");

static bool posted_interrupts;
module_param(posted_interrupts, bool, 0444);
MODULE_PARM_DESC(posted_interrupts,
		 "interrupts reach guests' local APICs without VM exits, and the host's are acknowledged by these, where the processor can; 0 (default): no");

static DEFINE_MUTEX(users_lock);
static unsigned int users;   /* VMs; users_lock */
static bool wanted;          /* CPUs that come up join; written with CPU hotplug held off */
static u8 *msr_bitmap;

#define FEATURE_CONTROL_OK (FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)

/* On the CPU itself, interrupts off. 0, -EBUSY, -EIO. */
static int vmx_on(void)
{
	struct lkx_cpu *cpu = this_cpu_ptr(&lkx_cpu);

	if (cpu->vmx_on)
		return 0;
	if (__read_cr4() & X86_CR4_VMXE)
		return -EBUSY;
	*(u32 *)cpu->vmxon_region = lkx_caps.revision;
	intel_pt_handle_vmx(1);
	cr4_set_bits(X86_CR4_VMXE);
	if (hw_vmxon(NULL, virt_to_phys(cpu->vmxon_region))) {
		cr4_clear_bits(X86_CR4_VMXE);
		intel_pt_handle_vmx(0);
		return -EIO;
	}
	cpu->vmx_on = true;
	cpu->current_vmcs = NULL;
	rdmsrl(MSR_STAR, cpu->host.star);
	rdmsrl(MSR_LSTAR, cpu->host.lstar);
	rdmsrl(MSR_SYSCALL_MASK, cpu->host.fmask);
	if (lkx_caps.rdtscp)
		rdmsrl(MSR_TSC_AUX, cpu->host.tsc_aux);
	cpu->gdt.size = GDT_SIZE - 1;
	cpu->gdt.address = (unsigned long)get_cpu_gdt_ro(smp_processor_id());
	store_idt(&cpu->idt);
	/* What another user of VMX left cached under EPTPs and VPIDs that we are about to use. */
	if (!lkx_caps.invept_single)
		hw_invept(NULL, INVEPT_GLOBAL, 0);
	return 0;
}

/* On the CPU itself, interrupts off. */
static void vmx_off(void)
{
	struct lkx_cpu *cpu = this_cpu_ptr(&lkx_cpu);

	if (!cpu->vmx_on)
		return;
	lkx_vmcs_clear_all_here();
	cpu->vmx_on = false;
	hw_vmxoff(NULL);
	cr4_clear_bits(X86_CR4_VMXE);
	intel_pt_handle_vmx(0);
}

static void vmx_on_ipi(void *errors)
{
	int r = vmx_on();

	if (r)
		atomic_cmpxchg((atomic_t *)errors, 0, r);
}

static void vmx_off_ipi(void *unused)
{
	vmx_off();
}

int lkx_vmx_get(void)
{
	atomic_t error = ATOMIC_INIT(0);
	int r = 0;

	mutex_lock(&users_lock);
	if (users == 0) {
		/* No CPU comes or goes between the IPIs and `wanted`. */
		cpus_read_lock();
		on_each_cpu(vmx_on_ipi, &error, 1);
		r = atomic_read(&error);
		if (r) {
			on_each_cpu(vmx_off_ipi, NULL, 1);
		} else {
			WRITE_ONCE(wanted, true);
			lkx_emergency_set(true);
		}
		cpus_read_unlock();
	}
	if (!r)
		users++;
	mutex_unlock(&users_lock);
	if (r == -EBUSY)
		pr_err_ratelimited("another hypervisor holds VMX on this machine; stop its VMs (or unload it) first\n");
	else if (r)
		pr_err_ratelimited("VMXON failed\n");
	return r;
}

void lkx_vmx_put(void)
{
	mutex_lock(&users_lock);
	if (--users == 0) {
		cpus_read_lock();
		WRITE_ONCE(wanted, false);
		on_each_cpu(vmx_off_ipi, NULL, 1);
		lkx_emergency_set(false);
		cpus_read_unlock();
	}
	mutex_unlock(&users_lock);
}

/* A CPU that comes up or goes down, on that CPU, interrupts off, no task on it. */
static int cpu_starting(unsigned int cpu)
{
	if (READ_ONCE(wanted) && vmx_on())
		pr_err("CPU %u: VMXON failed; vCPUs cannot run there\n", cpu);
	return 0;
}

static int cpu_stopping(unsigned int cpu)
{
	vmx_off();
	return 0;
}

/* Suspend: the other CPUs have gone down by hotplug; this is the last one. */
int lkx_syscore_suspend(void)
{
	vmx_off();
	return 0;
}

u32 lkx_resumes;

void lkx_syscore_resume(void)
{
	lkx_resumes++;
	if (READ_ONCE(wanted) && vmx_on())
		pr_err("VMXON failed after resume; vCPUs cannot run on CPU %u\n", smp_processor_id());
}

static int reboot(struct notifier_block *nb, unsigned long what, void *unused)
{
	WRITE_ONCE(wanted, false);
	on_each_cpu(vmx_off_ipi, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block reboot_notifier = {
	.notifier_call = reboot,
};

static int check_processor(void)
{
	const char *missing;
	u64 feature_control;

	if (!boot_cpu_has(X86_FEATURE_VMX)) {
		/* The kernel clears the feature when firmware has locked it off. */
		if (cpuid_ecx(1) & BIT(5))
			pr_err("VMX is switched off by the firmware: enable Intel VT-x in its set-up\n");
		else
			pr_err("this processor has no VMX (Intel VT-x)\n");
		return -ENODEV;
	}
	if (rdmsrl_safe(MSR_IA32_FEAT_CTL, &feature_control) ||
	    (feature_control & FEATURE_CONTROL_OK) != FEATURE_CONTROL_OK) {
		pr_err("VMX is locked off by the firmware (IA32_FEATURE_CONTROL): enable Intel VT-x in its set-up\n");
		return -ENODEV;
	}
	if (lkx_vmx_caps_read(NULL, &lkx_caps, &missing)) {
		pr_err("this processor lacks %s\n", missing);
		return -ENODEV;
	}
	if (preemption_timer && !lkx_caps.preemption_timer) {
		pr_warn("preemption_timer=%u: this processor has no VMX preemption timer\n", preemption_timer);
		preemption_timer = 0;
	}
	lkx_caps.preemption_ticks = preemption_timer;
	lkx_caps.virtual_interrupts = virtual_interrupts = virtual_interrupts && lkx_caps.virtual_interrupts;
	lkx_caps.pml &= pml;
	lkx_caps.apic_timer &= virtual_interrupts && !check_tsc_unstable();
	if (posted_interrupts && !lkx_can_take_interrupts()) {
		pr_warn("posted_interrupts: not with this kernel, or not on this processor (FRED)\n");
		posted_interrupts = false;
	}
	lkx_caps.acknowledge_interrupts &= posted_interrupts;
	lkx_caps.posted_interrupts &= posted_interrupts && virtual_interrupts;
	/* As the host protects itself from it. */
	lkx_caps.large_no_execute = boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) && !cpu_mitigations_off();
	/* PAUSE never exits. Guests that halt or wait by themselves the core can do; not offered before they have been seen to run on hardware. */
	lkx_caps.disable_exits = KVM_X86_DISABLE_EXITS_PAUSE;
	return 0;
}

static void free_pages_of_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_page((unsigned long)per_cpu(lkx_cpu, cpu).vmxon_region);
	free_pages((unsigned long)msr_bitmap, virtual_interrupts);
}

int lkx_vmx_init(void)
{
	int cpu, r;

	r = check_processor();
	if (r)
		return r;
	msr_bitmap = (u8 *)__get_free_pages(GFP_KERNEL, virtual_interrupts); /* one or two */
	if (!msr_bitmap)
		return -ENOMEM;
	lkx_msr_bitmap_init(msr_bitmap, NULL);
	if (virtual_interrupts) {
		lkx_msr_bitmap_init(msr_bitmap + PAGE_SIZE, NULL);
		lkx_lapic_pass_through(msr_bitmap + PAGE_SIZE, lkx_caps.posted_interrupts);
	}
	lkx_caps.msr_bitmap_pa = virt_to_phys(msr_bitmap);
	for_each_possible_cpu(cpu) {
		struct lkx_cpu *c = &per_cpu(lkx_cpu, cpu);

		INIT_LIST_HEAD(&c->loaded);
		c->vmxon_region = (void *)get_zeroed_page(GFP_KERNEL);
		if (!c->vmxon_region) {
			free_pages_of_cpus();
			return -ENOMEM;
		}
	}
	r = cpuhp_setup_state_nocalls(LKX_CPUHP_STATE, "likex:starting", cpu_starting, cpu_stopping);
	if (r < 0) {
		free_pages_of_cpus();
		return r;
	}
	register_reboot_notifier(&reboot_notifier);
	lkx_register_syscore();
	lkx_emergency_init();
	return 0;
}

void lkx_vmx_exit(void)
{
	lkx_emergency_exit();
	lkx_unregister_syscore();
	unregister_reboot_notifier(&reboot_notifier);
	cpuhp_remove_state_nocalls(LKX_CPUHP_STATE);
	free_pages_of_cpus();
}
