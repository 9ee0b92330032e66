// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* KVM_RUN, and the way to a vCPU's other ioctls: it is locked, and its VMCS current. */
#include "files.h"
#include "fpu.h"
#include "state.h"
#include "vcpu_load.h"
#include <linux/sched/signal.h>

static void activate_signal_mask(struct linux_vcpu *lv)
{
	if (lv->sigset_active)
		sigprocmask(SIG_SETMASK, &lv->sigset, &current->real_blocked);
}

static void deactivate_signal_mask(struct linux_vcpu *lv)
{
	if (lv->sigset_active) {
		sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
		sigemptyset(&current->real_blocked);
	}
}

static long run(struct linux_vcpu *lv, unsigned long arg)
{
	struct kvm_run *page = lv->core.run;
	long r;

	if (arg)
		return -EINVAL;
	/* KVM_CAP_SYNC_REGS is not offered. */
	if (READ_ONCE(page->kvm_valid_regs) | READ_ONCE(page->kvm_dirty_regs))
		return -EINVAL;
	activate_signal_mask(lv);
	lkx_fpu_enter(lv);
	r = lkx_vcpu_run(&lv->core);
	lkx_fpu_leave(lv);
	lkx_fill_run_page(&lv->core);
	deactivate_signal_mask(lv);
	return r;
}

long lkx_vcpu_ioctl(struct linux_vcpu *lv, unsigned int cmd, unsigned long arg)
{
	long r;

	if (linux_vm(lv->core.vm)->mm != current->mm)
		return -EIO;
	if (unlikely(cmd != KVM_RUN) && _IOC_TYPE(cmd) != KVMIO)
		return -ENOTTY;
	if (mutex_lock_killable(&lv->lock))
		return -EINTR;
	lkx_vcpu_load(lv);
	r = likely(cmd == KVM_RUN) ? run(lv, arg) : lkx_vcpu_loaded_ioctl(lv, cmd, arg);
	lkx_vcpu_put(lv);
	mutex_unlock(&lv->lock);
	return r;
}
