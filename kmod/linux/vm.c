// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* A VM: its file, its birth and end, its ioctls. */
#include "clock.h"
#include "debugfs.h"
#include "dirty.h"
#include "files.h"
#include "lapic.h"
#include "msr_filter.h"
#include "routing.h"
#include "vmx_cpu.h"
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

bool plat_slots_locked(struct lkx_vm *vm)
{
	return mutex_is_locked(&linux_vm(vm)->lock);
}

static void destroy(struct linux_vm *vm)
{
	u32 i;

	lkx_debugfs_remove(vm);
	/* No shrinker is at it from here (linux/shrinker.c). */
	spin_lock(&vm->reclaim_lock);
	spin_unlock(&vm->reclaim_lock);
	/* No notifier looks at it from here. debugfs may, at its tables: it finds them emptied, and the VM itself goes by RCU. */
	lkx_mm_unwatch(vm);
	lkx_irqfds_end(vm);
	for (i = 0; i < vm->core.vcpus; i++)
		lkx_vcpu_free(linux_vcpu(vm->core.vcpu[i]));
	lkx_ioeventfds_free(vm);
	lkx_msr_filter_destroy(&vm->core);
	lkx_ept_destroy(&vm->core);
	lkx_memslots_destroy(&vm->core);
	mmdrop(vm->mm);
	lkx_vmx_put();
	lkx_system_put(vm->system);
	kfree_rcu(vm, rcu);
}

void lkx_vm_put(struct linux_vm *vm)
{
	if (refcount_dec_and_test(&vm->users))
		destroy(vm);
}

static int vm_release(struct inode *inode, struct file *file)
{
	struct linux_vm *vm = file->private_data;

	mutex_lock(&vm->system->lock);
	if (vm->system->vm == vm)
		vm->system->vm = NULL;
	mutex_unlock(&vm->system->lock);
	lkx_vm_put(vm);
	return 0;
}

int lkx_vm_set_region(struct linux_vm *vm, const struct kvm_userspace_memory_region *region)
{
	int r;

	mutex_lock(&vm->lock);
	r = lkx_memslot_check(&vm->core, region);
	if (!r)
		r = lkx_mm_apply_slot(vm, region);
	mutex_unlock(&vm->lock);
	return r;
}

/* The first struct is how the second begins; what else that has counts only with a flag that is refused. */
static long set_memory_region(struct linux_vm *vm, void __user *user, size_t size)
{
	union {
		struct kvm_userspace_memory_region region;
		struct kvm_userspace_memory_region2 region2;
	} u;

	static_assert(offsetof(struct kvm_userspace_memory_region, userspace_addr) ==
		      offsetof(struct kvm_userspace_memory_region2, userspace_addr));
	if (copy_from_user(&u, user, size))
		return -EFAULT;
	return lkx_vm_set_region(vm, &u.region);
}

/* The bitmap's address, as a program of 32 or of 64 bits writes it. */
static u64 bitmap_of(u64 word)
{
	return in_compat_syscall() ? (u32)word : word;
}

static long get_dirty_log(struct linux_vm *vm, void __user *user)
{
	struct kvm_dirty_log log;
	int r;

	if (copy_from_user(&log, user, sizeof(log)))
		return -EFAULT;
	log.padding2 = bitmap_of(log.padding2);
	mutex_lock(&vm->lock);
	r = lkx_dirty_get(&vm->core, &log);
	mutex_unlock(&vm->lock);
	return r;
}

static long clear_dirty_log(struct linux_vm *vm, void __user *user)
{
	struct kvm_clear_dirty_log clear;
	int r;

	if (copy_from_user(&clear, user, sizeof(clear)))
		return -EFAULT;
	clear.padding2 = bitmap_of(clear.padding2);
	mutex_lock(&vm->lock);
	r = lkx_dirty_clear(&vm->core, &clear);
	mutex_unlock(&vm->lock);
	return r;
}

static long set_identity_map_addr(struct linux_vm *vm, void __user *user)
{
	u64 address;
	int r = 0;

	mutex_lock(&vm->lock);
	if (vm->core.vcpus) /* too late: they may have used it */
		r = -EINVAL;
	else if (copy_from_user(&address, user, sizeof(address)))
		r = -EFAULT;
	else
		vm->core.identity_map_addr = address;
	mutex_unlock(&vm->lock);
	return r;
}

/* The last three pages below 4 GiB must be left. Unrestricted guests need no TSS there: the address is only kept. */
static long set_tss_addr(struct linux_vm *vm, unsigned long arg)
{
	if (arg > (u32)(-3 * PAGE_SIZE))
		return -EINVAL;
	mutex_lock(&vm->lock);
	vm->core.tss_addr = arg;
	mutex_unlock(&vm->lock);
	return 0;
}

void plat_host_clocks(struct lkx_hw *hw, struct lkx_host_clocks *now)
{
	unsigned long flags;

	local_irq_save(flags);
	now->boot = ktime_get_boottime_ns();
	now->real = ktime_get_real_ns();
	now->tsc = rdtsc_ordered();
	now->epoch = lkx_resumes;
	local_irq_restore(flags);
	now->tsc_stable = !check_tsc_unstable();
}

static long get_clock(struct linux_vm *vm, void __user *user)
{
	struct lkx_host_clocks now;
	struct kvm_clock_data data;

	mutex_lock(&vm->lock);
	plat_host_clocks(NULL, &now);
	lkx_clock_get(&vm->core, &now, &data);
	mutex_unlock(&vm->lock);
	return copy_to_user(user, &data, sizeof(data)) ? -EFAULT : 0;
}

static long set_clock(struct linux_vm *vm, void __user *user)
{
	struct lkx_host_clocks now;
	struct kvm_clock_data data;
	long r;

	if (copy_from_user(&data, user, sizeof(data)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	plat_host_clocks(NULL, &now);
	r = lkx_clock_set(&vm->core, &now, &data);
	mutex_unlock(&vm->lock);
	return r;
}

static long enable_cap(struct linux_vm *vm, void __user *user)
{
	struct kvm_enable_cap cap;
	long r;

	if (copy_from_user(&cap, user, sizeof(cap)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	r = lkx_vm_enable_cap(&vm->core, &cap);
	mutex_unlock(&vm->lock);
	return r;
}

static long set_msr_filter(struct linux_vm *vm, void __user *user)
{
	struct lkx_msr_filter *filter;
	struct kvm_msr_filter args;
	long r;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	r = lkx_msr_filter_make(NULL, &args, &filter);
	if (r)
		return r;
	mutex_lock(&vm->lock);
	r = lkx_msr_filter_replace(&vm->core, filter);
	mutex_unlock(&vm->lock);
	if (r)
		plat_free(NULL, filter);
	return r;
}

/* How many vCPUs took the message. */
static long signal_msi(struct linux_vm *vm, void __user *user)
{
	struct kvm_msi msi;

	if (copy_from_user(&msi, user, sizeof(msi)))
		return -EFAULT;
	if (!vm->core.irqchip_split || (msi.flags & ~KVM_MSI_VALID_DEVID) || !lkx_message_ok(&vm->core, msi.address_hi))
		return -EINVAL;
	return lkx_lapic_message(&vm->core, (u64)msi.address_hi << 32 | msi.address_lo, msi.data);
}

/* KVM_IRQ_LINE, and KVM_IRQ_LINE_STATUS, which tells how many vCPUs took it; -1: nothing was sent. */
static long irq_line(struct linux_vm *vm, void __user *user, bool tell)
{
	struct kvm_irq_level line;

	if (copy_from_user(&line, user, sizeof(line)))
		return -EFAULT;
	if (!vm->core.irqchip_split)
		return -ENXIO;
	/* Every route is a message, which a line sends when it rises. */
	line.status = line.level ? lkx_routing_deliver(&vm->core, line.irq) : -1;
	return tell && copy_to_user(user, &line, sizeof(line)) ? -EFAULT : 0;
}

bool lkx_is_vm_ioctl(unsigned int cmd)
{
	switch (cmd) {
	case KVM_CREATE_VCPU:
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
	case KVM_SET_TSS_ADDR:
	case KVM_SET_IDENTITY_MAP_ADDR:
	case KVM_IOEVENTFD:
	case KVM_GET_CLOCK:
	case KVM_SET_CLOCK:
	case KVM_ENABLE_CAP:
	case KVM_GET_DIRTY_LOG:
	case KVM_CLEAR_DIRTY_LOG:
	case KVM_X86_SET_MSR_FILTER:
	case KVM_SIGNAL_MSI:
	case KVM_SET_GSI_ROUTING:
	case KVM_IRQ_LINE:
	case KVM_IRQ_LINE_STATUS:
	case KVM_IRQFD:
		return true;
	}
	return false;
}

long lkx_vm_ioctl(struct linux_vm *vm, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	/* Slots name this process's memory; another's (after fork, or a passed fd) would be mixed up with it. */
	if (vm->mm != current->mm)
		return -EIO;
	switch (cmd) {
	case KVM_CREATE_VCPU:
		return lkx_vcpu_create(vm, arg);
	case KVM_SET_USER_MEMORY_REGION:
		return set_memory_region(vm, user, sizeof(struct kvm_userspace_memory_region));
	case KVM_SET_USER_MEMORY_REGION2:
		return set_memory_region(vm, user, sizeof(struct kvm_userspace_memory_region2));
	case KVM_SET_TSS_ADDR:
		return set_tss_addr(vm, arg);
	case KVM_SET_IDENTITY_MAP_ADDR:
		return set_identity_map_addr(vm, user);
	case KVM_IOEVENTFD:
		return lkx_ioeventfd(vm, user);
	case KVM_GET_CLOCK:
		return get_clock(vm, user);
	case KVM_SET_CLOCK:
		return set_clock(vm, user);
	case KVM_ENABLE_CAP:
		return enable_cap(vm, user);
	case KVM_GET_DIRTY_LOG:
		return get_dirty_log(vm, user);
	case KVM_CLEAR_DIRTY_LOG:
		return clear_dirty_log(vm, user);
	case KVM_X86_SET_MSR_FILTER:
		return set_msr_filter(vm, user);
	case KVM_SIGNAL_MSI:
		return signal_msi(vm, user);
	case KVM_SET_GSI_ROUTING:
		return lkx_set_routing(vm, user);
	case KVM_IRQ_LINE:
	case KVM_IRQ_LINE_STATUS:
		return irq_line(vm, user, cmd == KVM_IRQ_LINE_STATUS);
	case KVM_IRQFD:
		return lkx_irqfd(vm, user);
	case KVM_GET_STATS_FD: /* on the system's file it is the vCPU's */
		return lkx_stats_fd(vm, NULL);
	case KVM_CHECK_EXTENSION:
		return lkx_check_extension(arg);
	}
	return -ENOTTY;
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return lkx_vm_ioctl(file->private_data, cmd, arg);
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

struct linux_vm *lkx_vm_alloc(struct lkx_system *s)
{
	struct linux_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	struct lkx_host_clocks now;
	int r;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	refcount_set(&vm->users, 1);
	mutex_init(&vm->lock);
	INIT_LIST_HEAD(&vm->irqfds);
	spin_lock_init(&vm->reclaim_lock);
	vm->core.caps = &lkx_caps;
	vm->core.tsc_khz = plat_tsc_khz(NULL);
	plat_host_clocks(NULL, &now);
	lkx_clock_start(&vm->core, &now);
	r = lkx_vmx_get();
	if (r)
		goto free;
	r = lkx_ept_init(&vm->core, lkx_caps.ept_ad);
	if (r)
		goto vmx;
	vm->pid = task_tgid_nr(current);
	r = lkx_debugfs_add(vm);
	if (r)
		goto ept;
	vm->mm = current->mm;
	mmgrab(vm->mm);
	r = lkx_mm_watch(vm);
	if (r)
		goto mm;
	refcount_inc(&s->users);
	vm->system = s;
	pr_debug("vm: eptp %#llx\n", vm->core.ept.eptp);
	return vm;
mm:
	mmdrop(vm->mm);
	lkx_debugfs_remove(vm);
ept:
	lkx_ept_destroy(&vm->core);
vmx:
	lkx_vmx_put();
free:
	/* Somebody may look at it through debugfs still. */
	kfree_rcu(vm, rcu);
	return ERR_PTR(r);
}

struct file *lkx_vm_file(struct linux_vm *vm)
{
	struct file *file = anon_inode_getfile("likex-vm", &vm_fops, vm, O_RDWR);

	if (IS_ERR(file))
		lkx_vm_put(vm);
	return file;
}

void lkx_vm_install(struct linux_vm *vm, struct file *file, int fd)
{
	struct lkx_system *s = vm->system;

	/*
	 * The system file learns of the VM before the fd exists: once it does, another thread may close it, and release
	 * takes the VM back out.
	 */
	mutex_lock(&s->lock);
	s->vm = vm;
	mutex_unlock(&s->lock);
	fd_install(fd, file);
}

int lkx_vm_create(struct lkx_system *s)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct linux_vm *vm;
	struct file *file;

	if (fd < 0)
		return fd;
	vm = lkx_vm_alloc(s);
	file = IS_ERR(vm) ? ERR_CAST(vm) : lkx_vm_file(vm);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	lkx_vm_install(vm, file, fd);
	return fd;
}
