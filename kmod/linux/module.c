// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "debugfs.h"
#include "files.h"
#include "fpu.h"
#include "shrinker.h"
#include "vmx_cpu.h"
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/preempt.h>

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = LIKEX_DEVICE_NAME,
	.fops = &lkx_system_fops,
	.mode = 0600,
};

static int __init likex_init(void)
{
	int r = lkx_run_init();

	if (!r)
		r = lkx_vmx_init();
	if (r)
		return r;
	lkx_fpu_switch_init();
	preempt_notifier_inc(); /* vCPU threads are told when they are switched */
	r = lkx_shrinker_init();
	if (!r)
		r = misc_register(&device);
	if (r) {
		lkx_shrinker_exit();
		preempt_notifier_dec();
		lkx_vmx_exit();
		return r;
	}
	lkx_debugfs_init();
	pr_info("%s: EPT%s%s%s%s, controls pin %#x proc %#x proc2 %#x exit %#x entry %#x\n", LIKEX_DEVICE_PATH,
		lkx_caps.ept_ad ? " A/D" : "", lkx_caps.pml ? ", PML" : "", lkx_caps.vpid ? ", VPID" : "",
		lkx_caps.posted_interrupts ? ", posted interrupts" : lkx_caps.acknowledge_interrupts ? ", acknowledged interrupts" : "",
		lkx_caps.pin, lkx_caps.proc, lkx_caps.proc2, lkx_caps.exit, lkx_caps.entry);
	return 0;
}

static void __exit likex_exit(void)
{
	misc_deregister(&device);
	lkx_debugfs_exit();
	lkx_shrinker_exit();
	preempt_notifier_dec();
	lkx_mm_exit();
	lkx_vmx_exit();
	/* Slots, tables and VMs that were freed by RCU; nothing of ours is to run after the text is gone. */
	rcu_barrier();
}

module_init(likex_init);
module_exit(likex_exit);
MODULE_DESCRIPTION("LiKeX: a light KVM for functions");
MODULE_LICENSE("Dual MIT/GPL");
