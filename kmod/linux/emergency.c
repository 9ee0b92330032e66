// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * VMX operation and a crashing kernel: INIT, by which a crash or kexec stops CPUs, is blocked in VMX operation, so each CPU
 * has to leave it first. The kernel has one slot for who does that, and warns of a second user.
 *
 * Linux 6.12's own KVM takes the slot while it has VMs, as we do; VMX is never both's. On 6.1 it takes the slot when
 * it is loaded; what it does there (VMXOFF if CR4.VMXE is set) serves us as well, so we keep off while it is there.
 */
#include "compat.h"
#include "vmx_cpu.h"
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>

static DEFINE_MUTEX(lock);
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
	bool hold = wanted && !stock;

	if (hold == held)
		return;
	if (hold)
		cpu_emergency_register_virt_callback(leave_vmx);
	else
		cpu_emergency_unregister_virt_callback(leave_vmx);
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

	if (!LKX_STOCK_TAKES_SLOT_AT_LOAD)
		return;
	register_module_notifier(&module_notifier);
	kvm_intel = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, "kvm_intel");
	if (kvm_intel) {
		kobject_put(kvm_intel);
		set_stock(true);
	}
}

void lkx_emergency_exit(void)
{
	if (LKX_STOCK_TAKES_SLOT_AT_LOAD)
		unregister_module_notifier(&module_notifier);
}
