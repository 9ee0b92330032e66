// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * KVM_IRQFD: who signals an eventfd interrupts the guest, by the route of a GSI, in the signaller's own context. And KVM_SET_GSI_ROUTING.
 *
 * An eventfd whose last file is closed can't be left from within the wake-up that tells so: its irqfd is deaf from then on, and freed by the VM's
 * next KVM_IRQFD, or with the VM.
 */
#include "files.h"
#include "routing.h"
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

struct irqfd {
	struct lkx_vm *vm;       /* [I] */
	struct eventfd_ctx *ctx; /* [I] held */
	u32 gsi;                 /* [I] */
	bool closed;             /* [a] */
	struct list_head link;   /* vm->irqfds: vm->lock */
	wait_queue_entry_t wait;
	poll_table poll;         /* only while it is made */
};

/* The wait queue's lock is held, interrupts are off. */
static int woken(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *f = container_of(wait, struct irqfd, wait);
	__poll_t what = key_to_poll(key);
	u64 count;

	if (what & EPOLLHUP)
		WRITE_ONCE(f->closed, true);
	if (!(what & EPOLLIN) || f->closed)
		return 0;
	eventfd_ctx_do_read(f->ctx, &count);
	lkx_routing_deliver(f->vm, f->gsi);
	return 1;
}

static void enqueue(struct file *file, wait_queue_head_t *queue, poll_table *poll)
{
	/* Before those who poll the eventfd: they would find it signalled. */
	add_wait_queue_priority(queue, &container_of(poll, struct irqfd, poll)->wait);
}

/* Afterwards nobody is told of the eventfd. vm->lock, or nobody else has the VM. */
static void end(struct irqfd *f)
{
	u64 count;

	list_del(&f->link);
	eventfd_ctx_remove_wait_queue(f->ctx, &f->wait, &count);
	eventfd_ctx_put(f->ctx);
	kfree(f);
}

/* Those that are closed, and that of `ctx` for `gsi`. vm->lock. */
static void deassign(struct linux_vm *vm, const struct eventfd_ctx *ctx, u32 gsi)
{
	struct irqfd *f, *next;

	list_for_each_entry_safe(f, next, &vm->irqfds, link)
		if (READ_ONCE(f->closed) || (f->ctx == ctx && f->gsi == gsi))
			end(f);
}

/* vm->lock. `file` is held meanwhile: nobody has closed it. Takes over `ctx` where it returns 0. */
static long assign(struct linux_vm *vm, struct file *file, struct eventfd_ctx *ctx, u32 gsi)
{
	struct irqfd *f;

	deassign(vm, NULL, 0);
	list_for_each_entry(f, &vm->irqfds, link)
		if (f->ctx == ctx)
			return -EBUSY;
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return -ENOMEM;
	f->vm = &vm->core;
	f->ctx = ctx;
	f->gsi = gsi;
	init_waitqueue_func_entry(&f->wait, woken);
	init_poll_funcptr(&f->poll, enqueue);
	list_add(&f->link, &vm->irqfds);
	/* Signalled already, with nobody to hear it. */
	if (vfs_poll(file, &f->poll) & EPOLLIN)
		lkx_routing_deliver(&vm->core, gsi);
	return 0;
}

long lkx_irqfd(struct linux_vm *vm, void __user *user)
{
	struct eventfd_ctx *ctx;
	struct kvm_irqfd args;
	struct file *file;
	bool off;
	long r = 0;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	off = args.flags & KVM_IRQFD_FLAG_DEASSIGN;
	if (args.flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	/* A level that is sampled again is an I/O APIC's pin, and that is in user space, which is told by KVM_EXIT_IOAPIC_EOI. */
	if (!off && (!vm->core.irqchip_split || (args.flags & KVM_IRQFD_FLAG_RESAMPLE)))
		return -EINVAL;
	file = fget(args.fd);
	if (!file)
		return -EBADF;
	ctx = eventfd_ctx_fileget(file);
	if (IS_ERR(ctx)) {
		r = PTR_ERR(ctx);
		goto out;
	}
	mutex_lock(&vm->lock);
	if (off)
		deassign(vm, ctx, args.gsi);
	else
		r = assign(vm, file, ctx, args.gsi);
	mutex_unlock(&vm->lock);
	if (off || r)
		eventfd_ctx_put(ctx);
out:
	fput(file);
	return r;
}

long lkx_set_routing(struct linux_vm *vm, struct kvm_irq_routing __user *user)
{
	struct kvm_irq_routing_entry *entries = NULL;
	struct kvm_irq_routing head;
	struct lkx_routes *routes;
	long r;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (!vm->core.irqchip_split || head.nr > LIKEX_MAX_IRQ_ROUTES || head.flags)
		return -EINVAL;
	if (head.nr) {
		entries = vmemdup_user(user->entries, array_size(sizeof(*entries), head.nr));
		if (IS_ERR(entries))
			return PTR_ERR(entries);
	}
	mutex_lock(&vm->lock);
	r = lkx_routing_make(&vm->core, entries, head.nr, &routes);
	if (!r)
		lkx_routing_replace(&vm->core, routes);
	mutex_unlock(&vm->lock);
	kvfree(entries);
	return r;
}

void lkx_irqfds_end(struct linux_vm *vm)
{
	struct irqfd *f, *next;

	list_for_each_entry_safe(f, next, &vm->irqfds, link)
		end(f);
	lkx_routing_destroy(&vm->core);
}
