// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* /dev/rust_kvm itself: system ioctls, and LiKeX's single-fd personality. */
#include "clock.h"
#include "cpuid.h"
#include "debug.h"
#include "files.h"
#include "lapic.h"
#include "mce.h"
#include "msr.h"
#include "vmx_cpu.h"
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>

/*
 * The kernel drops features that this processor has wrong, or slow, or that the command line names. Guests cannot know better; Linux keeps its words of
 * features as CPUID has them.
 */
void plat_cpuid_limit(struct lkx_hw *hw, u32 leaf, u32 index, u32 out[4])
{
	static const struct { u32 leaf; u8 index, reg, word; } words[] = {
		{ 1, 0, 2, CPUID_1_ECX }, { 1, 0, 3, CPUID_1_EDX },
		{ 7, 0, 1, CPUID_7_0_EBX }, { 7, 0, 2, CPUID_7_ECX }, { 7, 0, 3, CPUID_7_EDX },
		{ 0xd, 1, 0, CPUID_D_1_EAX },
		{ 0x80000001, 0, 2, CPUID_8000_0001_ECX }, { 0x80000001, 0, 3, CPUID_8000_0001_EDX },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].leaf == leaf && words[i].index == index)
			out[words[i].reg] &= boot_cpu_data.x86_capability[words[i].word];
}

void lkx_system_put(struct lkx_system *s)
{
	if (refcount_dec_and_test(&s->users))
		kfree(s);
}

static int system_open(struct inode *inode, struct file *file)
{
	struct lkx_system *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return -ENOMEM;
	refcount_set(&s->users, 1);
	mutex_init(&s->lock);
	file->private_data = s;
	return 0;
}

static int system_release(struct inode *inode, struct file *file)
{
	lkx_system_put(file->private_data);
	return 0;
}

static long get_supported_cpuid(struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid_entry2 *entry;
	struct kvm_cpuid2 head;
	long r;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent < 1)
		return -E2BIG;
	if (head.nent > LIKEX_MAX_CPUID)
		head.nent = LIKEX_MAX_CPUID;
	entry = kvcalloc(head.nent, sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	r = lkx_cpuid_supported(NULL, &lkx_caps, entry, head.nent);
	if (r >= 0) {
		head.nent = r;
		r = 0;
		if (copy_to_user(user->entries, entry, head.nent * sizeof(*entry)) ||
		    copy_to_user(user, &head, sizeof(head)))
			r = -EFAULT;
	}
	kvfree(entry);
	return r;
}

static long get_msr_index_list(struct kvm_msr_list __user *user, bool features)
{
	u32 index[64], count, room;

	if (get_user(room, &user->nmsrs))
		return -EFAULT;
	count = features ? lkx_msr_feature_list(index, ARRAY_SIZE(index)) :
			   lkx_msr_list(NULL, &lkx_caps, index, ARRAY_SIZE(index));
	if (WARN_ON_ONCE(count > ARRAY_SIZE(index)))
		return -EIO;
	if (put_user(count, &user->nmsrs))
		return -EFAULT;
	if (room < count)
		return -E2BIG;
	return copy_to_user(user->indices, index, count * sizeof(index[0])) ? -EFAULT : 0;
}

/* KVM_GET_MSRS of the system file: how many of the list there were before the first that is no feature. */
static long get_msr_features(struct kvm_msrs __user *user)
{
	struct kvm_msr_entry entry;
	u32 count, i;

	if (get_user(count, &user->nmsrs))
		return -EFAULT;
	if (count >= LIKEX_MAX_MSRS)
		return -E2BIG;
	for (i = 0; i < count; i++) {
		if (copy_from_user(&entry, &user->entries[i], sizeof(entry)))
			return -EFAULT;
		if (lkx_msr_feature(entry.index, &entry.data))
			break;
		if (copy_to_user(&user->entries[i], &entry, sizeof(entry)))
			return -EFAULT;
	}
	return i;
}

/* What KVM_CHECK_EXTENSION answers; 0 for whatever is not here. */
long lkx_check_extension(unsigned long cap)
{
	switch (cap) {
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_USER_MEMORY2:
	case KVM_CAP_PRE_FAULT_MEMORY:
	case KVM_CAP_SET_TSS_ADDR:
	case KVM_CAP_EXT_CPUID:
	case KVM_CAP_MP_STATE:
	case KVM_CAP_SYNC_MMU:
	case KVM_CAP_USER_NMI:
	case KVM_CAP_NOP_IO_DELAY:
	case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case KVM_CAP_INTERNAL_ERROR_DATA:
	case KVM_CAP_SET_IDENTITY_MAP_ADDR:
	case KVM_CAP_GET_TSC_KHZ:
	case KVM_CAP_READONLY_MEM:
	case KVM_CAP_CHECK_EXTENSION_VM:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_IOEVENTFD:
	case KVM_CAP_IOEVENTFD_NO_LENGTH:
	case KVM_CAP_IOEVENTFD_ANY_LENGTH:
	case KVM_CAP_ENABLE_CAP_VM:
	case KVM_CAP_VCPU_EVENTS:
	case KVM_CAP_INTR_SHADOW:
	case KVM_CAP_EXCEPTION_PAYLOAD:
	case KVM_CAP_X86_TRIPLE_FAULT_EVENT:
	case KVM_CAP_X86_USER_SPACE_MSR:
	case KVM_CAP_X86_MSR_FILTER:
	case KVM_CAP_EXIT_ON_EMULATION_FAILURE:
	case KVM_CAP_BINARY_STATS_FD:
	case KVM_CAP_DEBUGREGS:
	case KVM_CAP_XSAVE:
	case KVM_CAP_SREGS2:
	case KVM_CAP_GET_MSR_FEATURES:
	case KVM_CAP_SET_GUEST_DEBUG:
	case KVM_CAP_X86_ROBUST_SINGLESTEP:
	case KVM_CAP_IRQCHIP: /* of which GET_LAPIC and SET_LAPIC are here, CREATE_IRQCHIP is not; QEMU asks for it before the next */
	case KVM_CAP_SPLIT_IRQCHIP:
	case KVM_CAP_SIGNAL_MSI:
	case KVM_CAP_IRQ_INJECT_STATUS:
	case KVM_CAP_IRQFD:
	case KVM_CAP_TSC_DEADLINE_TIMER:
	case KVM_CAP_CLOCKSOURCE:
	case KVM_CAP_KVMCLOCK_CTRL:
		return 1;
	case KVM_CAP_X2APIC_API:
		return LKX_X2APIC_API;
	case KVM_CAP_SET_GUEST_DEBUG2:
		return LKX_GUEST_DEBUG;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET;
	case KVM_CAP_X86_DISABLE_EXITS:
		return lkx_caps.disable_exits;
	case KVM_CAP_XCRS:
		return boot_cpu_has(X86_FEATURE_XSAVE);
	case KVM_CAP_XSAVE2:
		return sizeof(struct kvm_xsave);
	case KVM_CAP_MCE:
		return LKX_MCE_BANKS;
	case KVM_CAP_ADJUST_CLOCK:
		return LKX_CLOCK_FLAGS;
	case KVM_CAP_TSC_CONTROL:
		return lkx_caps.tsc_scaling;
	case KVM_CAP_IRQ_ROUTING:
		return LIKEX_MAX_IRQ_ROUTES;
	case KVM_CAP_NR_VCPUS:
		return min_t(unsigned int, num_online_cpus(), LIKEX_MAX_VCPUS);
	case KVM_CAP_MAX_VCPUS:
		return LIKEX_MAX_VCPUS;
	case KVM_CAP_MAX_VCPU_ID:
		return LIKEX_MAX_VCPU_IDS;
	case KVM_CAP_NR_MEMSLOTS:
		return LIKEX_MAX_MEMSLOTS;
	case LIKEX_CAP_CREATE:
		return LIKEX_CREATE_MEMSLOTS;
	}
	return 0;
}

/* The VM that this file made last, with a reference; NULL. */
static struct linux_vm *own_vm(struct lkx_system *s)
{
	struct linux_vm *vm;

	mutex_lock(&s->lock);
	vm = s->vm;
	if (vm && !refcount_inc_not_zero(&vm->users))
		vm = NULL;
	mutex_unlock(&s->lock);
	return vm;
}

/* Its first vCPU: LiKeX knows one. */
static struct linux_vcpu *own_vcpu(struct linux_vm *vm)
{
	return lkx_vm_vcpus(&vm->core) ? linux_vcpu(vm->core.vcpu[0]) : NULL;
}

/* Not a system ioctl: LiKeX's way, it is for the VM or its first vCPU. */
static long forward(struct lkx_system *s, unsigned int cmd, unsigned long arg)
{
	struct linux_vm *vm = own_vm(s);
	struct linux_vcpu *vcpu;
	long r = -ENOTTY;

	if (!vm)
		return -ENOTTY;
	if (lkx_is_vm_ioctl(cmd)) {
		r = lkx_vm_ioctl(vm, cmd, arg);
	} else {
		vcpu = own_vcpu(vm);
		if (vcpu)
			r = lkx_vcpu_ioctl(vcpu, cmd, arg);
	}
	lkx_vm_put(vm);
	return r;
}

static long system_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct lkx_system *s = file->private_data;
	void __user *user = (void __user *)arg;
	long r;

	switch (cmd) {
	case KVM_GET_API_VERSION:
		return arg ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM: /* the argument is the machine type: x86 has one */
		return arg ? -EINVAL : lkx_vm_create(s);
	case LIKEX_CREATE:
		return lkx_create(s, user);
	case KVM_CHECK_EXTENSION:
		return lkx_check_extension(arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return arg ? -EINVAL : LIKEX_RUN_PAGES * PAGE_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
		return get_supported_cpuid(user);
	case KVM_GET_MSR_INDEX_LIST:
		return get_msr_index_list(user, false);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return get_msr_index_list(user, true);
	case KVM_X86_GET_MCE_CAP_SUPPORTED:
		return put_user(LKX_MCG_CAP, (u64 __user *)user);
	}
	r = forward(s, cmd, arg);
	/* Its vCPU, where it has one, answers the same for features. */
	return r == -ENOTTY && cmd == KVM_GET_MSRS ? get_msr_features(user) : r;
}

static int system_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct linux_vm *vm = own_vm(file->private_data);
	struct linux_vcpu *vcpu;
	int r = -ENODEV;

	if (!vm)
		return -ENODEV;
	vcpu = own_vcpu(vm);
	if (vcpu)
		r = lkx_vcpu_mmap(vcpu, vma);
	lkx_vm_put(vm);
	return r;
}

const struct file_operations lkx_system_fops = {
	.owner = THIS_MODULE,
	.open = system_open,
	.release = system_release,
	.unlocked_ioctl = system_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = system_mmap,
	.llseek = noop_llseek,
};
