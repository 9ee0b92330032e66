// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The ioctls of a vCPU but KVM_RUN: copy once, decode, let the core do it, copy back. */
#include "cpuid.h"
#include "ept.h"
#include "events.h"
#include "files.h"
#include "fpu.h"
#include "lapic.h"
#include "msr.h"
#include "pv.h"
#include "state.h"
#include "vcpu_load.h"
#include "vmx_cpu.h"
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

static long set_signal_mask(struct linux_vcpu *lv, struct kvm_signal_mask __user *user)
{
	struct kvm_signal_mask head;
	sigset_t set;

	if (!user) {
		lv->sigset_active = false;
		return 0;
	}
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.len != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, user->sigset, sizeof(set)))
		return -EFAULT;
	sigdelsetmask(&set, sigmask(SIGKILL) | sigmask(SIGSTOP));
	lv->sigset = set;
	lv->sigset_active = true;
	return 0;
}

long lkx_vcpu_set_cpuid(struct linux_vcpu *lv, struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid_entry2 *table = NULL;
	struct kvm_cpuid2 head;
	int r;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent > LIKEX_MAX_CPUID)
		return -E2BIG;
	if (head.nent) {
		table = vmemdup_user(user->entries, head.nent * sizeof(*table));
		if (IS_ERR(table))
			return PTR_ERR(table);
	}
	r = lkx_cpuid_set(&lv->core, table, head.nent);
	if (r)
		kvfree(table);
	return r;
}

static long get_cpuid(struct linux_vcpu *lv, struct kvm_cpuid2 __user *user)
{
	struct lkx_vcpu *v = &lv->core;
	u32 count = v->cpuid_default ? 0 : v->cpuid_count;
	struct kvm_cpuid2 head;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent < count)
		return -E2BIG;
	head.nent = count;
	if (copy_to_user(user->entries, v->cpuid, count * sizeof(*v->cpuid)) || copy_to_user(user, &head, sizeof(head)))
		return -EFAULT;
	return 0;
}

/* KVM_GET_MSRS and KVM_SET_MSRS: how many of the list were done before the first that was refused. */
static long msrs(struct linux_vcpu *lv, struct kvm_msrs __user *user, bool set)
{
	struct kvm_msr_entry *entry;
	struct kvm_msrs head;
	size_t size;
	long done;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= LIKEX_MAX_MSRS)
		return -E2BIG;
	size = head.nmsrs * sizeof(*entry);
	entry = memdup_user(user->entries, size);
	if (IS_ERR(entry))
		return PTR_ERR(entry);
	for (done = 0; done < head.nmsrs; done++) {
		struct kvm_msr_entry *e = &entry[done];

		if (set ? lkx_msr_set(&lv->core, e->index, e->data, false) :
			  lkx_msr_get(&lv->core, e->index, &e->data, false))
			break;
	}
	if (!set && copy_to_user(user->entries, entry, size))
		done = -EFAULT;
	kfree(entry);
	return done;
}

static long interrupt(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_interrupt irq;

	if (copy_from_user(&irq, user, sizeof(irq)))
		return -EFAULT;
	if (irq.irq > 255)
		return -EINVAL;
	if (lv->core.lapic)
		return lkx_lapic_extint(&lv->core, irq.irq);
	lkx_queue_interrupt(&lv->core, irq.irq);
	return 0;
}

static long set_tsc_khz(struct linux_vcpu *lv, unsigned long arg)
{
	u32 khz = arg ? (u32)arg : plat_tsc_khz(NULL);

	return lkx_tsc_set_khz(&lv->core, khz) ? 0 : -EINVAL;
}

/* A structure out of, or into, the vCPU: copied whole and once. */
#define GET(type, get)                                                     \
	({                                                                 \
		type value_;                                               \
		memset(&value_, 0, sizeof(value_));                        \
		get(&lv->core, &value_);                                   \
		copy_to_user(user, &value_, sizeof(value_)) ? -EFAULT : 0; \
	})

static long regs(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_regs r;

	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	lkx_set_regs(&lv->core, &r);
	return 0;
}

static long sregs(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_sregs *s = memdup_user(user, sizeof(*s));
	long r;

	if (IS_ERR(s))
		return PTR_ERR(s);
	r = lkx_set_sregs(&lv->core, s);
	kfree(s);
	return r;
}

static long get_fpu(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_fpu f;

	lkx_fpu_get(lv, &f);
	return copy_to_user(user, &f, sizeof(f)) ? -EFAULT : 0;
}

static long set_fpu(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_fpu f;

	if (copy_from_user(&f, user, sizeof(f)))
		return -EFAULT;
	lkx_fpu_set(lv, &f);
	return 0;
}

static long translate(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_translation t;

	if (copy_from_user(&t, user, sizeof(t)))
		return -EFAULT;
	lkx_translate(&lv->core, &t);
	return copy_to_user(user, &t, sizeof(t)) ? -EFAULT : 0;
}

/* What is left of the range goes back, whatever came of it. */
static long pre_fault(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_pre_fault_memory range;
	long r;

	if (copy_from_user(&range, user, sizeof(range)))
		return -EFAULT;
	r = lkx_pre_fault(&lv->core, &range);
	return copy_to_user(user, &range, sizeof(range)) ? -EFAULT : r;
}

static long set_mp_state(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_mp_state s;

	if (copy_from_user(&s, user, sizeof(s)))
		return -EFAULT;
	return lkx_set_mp_state(&lv->core, &s);
}

long lkx_vcpu_loaded_ioctl(struct linux_vcpu *lv, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case KVM_GET_REGS:
		return GET(struct kvm_regs, lkx_get_regs);
	case KVM_SET_REGS:
		return regs(lv, user);
	case KVM_GET_SREGS:
		return GET(struct kvm_sregs, lkx_get_sregs);
	case KVM_SET_SREGS:
		return sregs(lv, user);
	case KVM_GET_FPU:
		return get_fpu(lv, user);
	case KVM_SET_FPU:
		return set_fpu(lv, user);
	case KVM_GET_CPUID2:
		return get_cpuid(lv, user);
	case KVM_SET_CPUID2:
		return lkx_vcpu_set_cpuid(lv, user);
	case KVM_GET_MSRS:
		return msrs(lv, user, false);
	case KVM_SET_MSRS:
		return msrs(lv, user, true);
	case KVM_INTERRUPT:
		return interrupt(lv, user);
	case KVM_NMI:
		lkx_queue_nmi(&lv->core);
		return 0;
	case KVM_TRANSLATE:
		return translate(lv, user);
	case KVM_PRE_FAULT_MEMORY:
		return pre_fault(lv, user);
	case KVM_GET_MP_STATE:
		return GET(struct kvm_mp_state, lkx_get_mp_state);
	case KVM_SET_MP_STATE:
		return set_mp_state(lv, user);
	case KVM_GET_TSC_KHZ:
		return lv->core.tsc_khz;
	case KVM_SET_TSC_KHZ:
		return set_tsc_khz(lv, arg);
	case KVM_GET_STATS_FD:
		return lkx_stats_fd(linux_vm(lv->core.vm), lv);
	case KVM_KVMCLOCK_CTRL:
		return lkx_pv_clock_paused(&lv->core);
	case KVM_SET_SIGNAL_MASK:
		return set_signal_mask(lv, user);
	}
	return lkx_vcpu_state_ioctl(lv, cmd, user);
}
