// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* A vCPU's state beyond its registers, in and out: the ioctls that saving and loading one takes. */
#include "debug.h"
#include "files.h"
#include "fpu.h"
#include "lapic.h"
#include "mce.h"
#include "state.h"
#include <linux/slab.h>
#include <linux/uaccess.h>

/* As large as any of them but XSAVE's. */
union state {
	struct kvm_vcpu_events events;
	struct kvm_debugregs debugregs;
	struct kvm_xcrs xcrs;
	struct kvm_sregs2 sregs2;
	struct kvm_guest_debug debug;
	struct kvm_x86_mce mce;
	struct kvm_vapic_addr vapic;
	u64 mcg_cap;
};

static long get_xsave(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_xsave *s = kzalloc(sizeof(*s), GFP_KERNEL);
	long r;

	if (!s)
		return -ENOMEM;
	lkx_fpu_get_xsave(lv, s);
	r = copy_to_user(user, s, sizeof(*s)) ? -EFAULT : 0;
	kfree(s);
	return r;
}

static long set_xsave(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_xsave *s = memdup_user(user, sizeof(*s));
	long r;

	if (IS_ERR(s))
		return PTR_ERR(s);
	r = lkx_fpu_set_xsave(lv, s);
	kfree(s);
	return r;
}

static long get_lapic(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_lapic_state *s;
	long r;

	if (!lv->core.lapic)
		return -EINVAL;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	lkx_lapic_get(&lv->core, s);
	r = copy_to_user(user, s, sizeof(*s)) ? -EFAULT : 0;
	kfree(s);
	return r;
}

static long set_lapic(struct linux_vcpu *lv, void __user *user)
{
	struct kvm_lapic_state *s;
	long r;

	if (!lv->core.lapic)
		return -EINVAL;
	s = memdup_user(user, sizeof(*s));
	if (IS_ERR(s))
		return PTR_ERR(s);
	r = lkx_lapic_set(&lv->core, s);
	kfree(s);
	return r;
}

static long setup_mce(struct lkx_vcpu *v, const u64 *cap)
{
	return lkx_mce_setup(v, *cap);
}

/* That there is none, as QEMU says at every reset. The page would have to be kept as its guest expects it: no KVM_CAP_VAPIC. */
static long set_vapic_addr(struct lkx_vcpu *v, const struct kvm_vapic_addr *a)
{
	return a->vapic_addr ? -EINVAL : 0;
}

#define GET(member, get)                                                                      \
	({                                                                                    \
		get(&lv->core, &s.member);                                                    \
		copy_to_user(user, &s.member, sizeof(s.member)) ? -EFAULT : 0;                \
	})
#define SET(member, set) \
	(copy_from_user(&s.member, user, sizeof(s.member)) ? -EFAULT : set(&lv->core, &s.member))

long lkx_vcpu_state_ioctl(struct linux_vcpu *lv, unsigned int cmd, void __user *user)
{
	bool xsave = boot_cpu_has(X86_FEATURE_XSAVE);
	union state s;

	switch (cmd) {
	case KVM_GET_VCPU_EVENTS:
		return GET(events, lkx_get_vcpu_events);
	case KVM_SET_VCPU_EVENTS:
		return SET(events, lkx_set_vcpu_events);
	case KVM_GET_DEBUGREGS:
		return GET(debugregs, lkx_get_debugregs);
	case KVM_SET_DEBUGREGS:
		return SET(debugregs, lkx_set_debugregs);
	case KVM_GET_XCRS:
		return xsave ? GET(xcrs, lkx_get_xcrs) : -EINVAL;
	case KVM_SET_XCRS:
		return xsave ? SET(xcrs, lkx_set_xcrs) : -EINVAL;
	case KVM_GET_SREGS2:
		return GET(sregs2, lkx_get_sregs2);
	case KVM_SET_SREGS2:
		return SET(sregs2, lkx_set_sregs2);
	case KVM_GET_XSAVE:
	case KVM_GET_XSAVE2: /* no feature that a guest may have is beyond the struct */
		return get_xsave(lv, user);
	case KVM_SET_XSAVE:
		return set_xsave(lv, user);
	case KVM_GET_LAPIC:
		return get_lapic(lv, user);
	case KVM_SET_LAPIC:
		return set_lapic(lv, user);
	case KVM_SET_VAPIC_ADDR:
		return lv->core.lapic ? SET(vapic, set_vapic_addr) : -EINVAL;
	case KVM_X86_SETUP_MCE:
		return SET(mcg_cap, setup_mce);
	case KVM_X86_SET_MCE:
		return SET(mce, lkx_mce_set);
	case KVM_SET_GUEST_DEBUG:
		return SET(debug, lkx_set_guest_debug);
	}
	return -ENOTTY;
}
