// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * VMX operation and a crashing kernel: INIT, by which a crash or kexec stops CPUs, is blocked in VMX operation, so each CPU
 * has to leave it first. The kernel has one slot for who does that, and warns of a second user.
 *
 * Giving the slot back waits for an RCU grace period, inside the kernel's function: not something to do when a VM goes. So we hold the slot from
 * load to unload, VMs or not (leave_vmx does nothing on a CPU that is not in VMX operation), as long as stock KVM is not loaded.
 *
 * When it is: Linux 6.1's takes the slot for good; what it does there (VMXOFF if CR4.VMXE is set) serves us as well, so we keep off. 6.12's has
 * it while it has VMs, unless told otherwise. VMX is never both's, so we have it while we have VMs; the last one's end waits, expedited.
 */
#include "compat.h"
#include "vmx_cpu.h"
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/rcupdate.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>

static DEFINE_MUTEX(lock);
static bool loaded;  /* between lkx_emergency_init and lkx_emergency_exit; lock */
static bool wanted;  /* we are in VMX operation; lock */
static bool held;    /* the slot is ours; lock */
static bool stock;   /* stock KVM has it, or is about to; lock */

/* Called on each CPU, in any context: touches nothing but the processor. */
static void leave_vmx(void)
{
	if (!this_cpu_read(lkx_cpu.vmx_on))
		return;
	this_cpu_write(lkx_cpu.vmx_on, false);
	hw_vmxoff(NULL);
	cr4_clear_bits(X86_CR4_VMXE);
}

/* lock */
static void settle(void)
{
	bool hold = loaded && (!stock || (wanted && !LKX_STOCK_TAKES_SLOT_AT_LOAD));

	if (hold == held)
		return;
	if (hold) {
		cpu_emergency_register_virt_callback(leave_vmx);
	} else {
		/* It may be a VM's last close that waits for this: microseconds instead of scheduler ticks. */
		rcu_expedite_gp();
		cpu_emergency_unregister_virt_callback(leave_vmx);
		rcu_unexpedite_gp();
	}
	held = hold;
}

void lkx_emergency_set(bool in_vmx_operation)
{
	mutex_lock(&lock);
	wanted = in_vmx_operation;
	settle();
	mutex_unlock(&lock);
}

static void set_stock(bool present)
{
	mutex_lock(&lock);
	stock = present;
	settle();
	mutex_unlock(&lock);
}

/* COMING is before the module's init takes the slot, GOING after its exit (or failed init) gave it back. */
static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct module *module = data;

	if (strcmp(module->name, "kvm_intel"))
		return NOTIFY_DONE;
	if (event == MODULE_STATE_COMING)
		set_stock(true);
	else if (event == MODULE_STATE_GOING)
		set_stock(false);
	return NOTIFY_DONE;
}

static struct notifier_block module_notifier = {
	.notifier_call = module_event,
};

void lkx_emergency_init(void)
{
	struct kobject *kvm_intel;

	register_module_notifier(&module_notifier);
	kvm_intel = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, "kvm_intel");
	mutex_lock(&lock);
	if (kvm_intel)
		stock = true;
	loaded = true;
	settle();
	mutex_unlock(&lock);
	if (kvm_intel)
		kobject_put(kvm_intel);
}

void lkx_emergency_exit(void)
{
	unregister_module_notifier(&module_notifier);
	mutex_lock(&lock);
	loaded = false;
	settle();
	mutex_unlock(&lock);
}
