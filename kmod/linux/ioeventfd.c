// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* KVM_IOEVENTFD: what core/ioevent.c knows as an event's target is an eventfd here. */
#include "compat.h"
#include "files.h"
#include "ioevent.h"
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/* Lives until no exit can be telling it: a grace period longer than its event. */
struct target {
	struct rcu_head rcu;
	struct eventfd_ctx *ctx; /* [I] held */
};

void plat_ioevent_signal(struct lkx_vm *vm, void *target)
{
	lkx_eventfd_signal(((struct target *)target)->ctx);
}

static void release(void *target)
{
	eventfd_ctx_put(((struct target *)target)->ctx);
	kfree(target);
}

static void release_later(struct rcu_head *rcu)
{
	release(container_of(rcu, struct target, rcu));
}

static bool is_of(void *target, void *ctx)
{
	return ((struct target *)target)->ctx == ctx;
}

/* Takes over `ctx`. */
static int assign(struct linux_vm *vm, struct lkx_ioevent *event, struct eventfd_ctx *ctx)
{
	struct target *target = kmalloc(sizeof(*target), GFP_KERNEL_ACCOUNT);
	int r;

	if (!target) {
		eventfd_ctx_put(ctx);
		return -ENOMEM;
	}
	target->ctx = ctx;
	event->target = target;
	mutex_lock(&vm->lock);
	r = lkx_ioevent_add(&vm->core, event);
	mutex_unlock(&vm->lock);
	if (r)
		release(target);
	return r;
}

static int deassign(struct linux_vm *vm, const struct lkx_ioevent *event, struct eventfd_ctx *ctx)
{
	void *target;
	int r;

	mutex_lock(&vm->lock);
	r = lkx_ioevent_remove(&vm->core, event, is_of, ctx, &target);
	mutex_unlock(&vm->lock);
	if (!r)
		call_rcu(&((struct target *)target)->rcu, release_later);
	eventfd_ctx_put(ctx);
	return r;
}

long lkx_ioeventfd(struct linux_vm *vm, void __user *user)
{
	struct kvm_ioeventfd args;
	struct lkx_ioevent event;
	struct eventfd_ctx *ctx;
	bool off;
	int r;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	off = args.flags & KVM_IOEVENTFD_FLAG_DEASSIGN;
	r = lkx_ioevent_decode(&args, &event);
	if (r && !off)
		return r;
	ctx = eventfd_ctx_fdget(args.fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	if (!off)
		return assign(vm, &event, ctx);
	/* What could never be added is not there. */
	if (r) {
		eventfd_ctx_put(ctx);
		return -ENOENT;
	}
	return deassign(vm, &event, ctx);
}

void lkx_ioeventfds_free(struct linux_vm *vm)
{
	lkx_ioevents_destroy(&vm->core, release);
}
