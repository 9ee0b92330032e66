// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The device: see vmx_cases.h. */
#include "internal.h"
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>
#include <asm/msr.h>
#include <asm/processor.h>

#define ARENA_ORDER get_order(VMX_CASES_ARENA_BYTES)

static struct page *arena;
static struct regions regions;
static DEFINE_MUTEX(lock); /* one case at a time */

static long get_info(void __user *arg)
{
	struct vmx_cases_info info = { .arena = page_to_phys(arena), .physical_bits = boot_cpu_data.x86_phys_bits };

	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long get_msr(void __user *arg)
{
	struct vmx_cases_msr msr;

	if (copy_from_user(&msr, arg, sizeof(msr)))
		return -EFAULT;
	if (msr.index != MSR_IA32_FEAT_CTL && (msr.index < MSR_IA32_VMX_BASIC || msr.index > MSR_IA32_VMX_VMFUNC))
		return -EINVAL;
	msr.value = 0;
	msr.exists = !rdmsrl_safe(msr.index, &msr.value);
	return copy_to_user(arg, &msr, sizeof(msr)) ? -EFAULT : 0;
}

static struct vmx_cases_field *copy_fields(__u64 from, u32 count)
{
	return memdup_user(u64_to_user_ptr(from), array_size(count, sizeof(struct vmx_cases_field)));
}

static long run_case(void __user *arg)
{
	struct vmx_cases_field *fields, *results;
	struct vmx_cases_run run;
	long r;

	if (copy_from_user(&run, arg, sizeof(run)))
		return -EFAULT;
	if (run.field_count > VMX_CASES_MAX_FIELDS || run.result_count > VMX_CASES_MAX_FIELDS)
		return -E2BIG;
	fields = copy_fields(run.fields, run.field_count);
	if (IS_ERR(fields))
		return PTR_ERR(fields);
	results = copy_fields(run.results, run.result_count);
	if (IS_ERR(results)) {
		kfree(fields);
		return PTR_ERR(results);
	}
	mutex_lock(&lock);
	r = case_run(&regions, &run, fields, results);
	mutex_unlock(&lock);
	if (!r && (copy_to_user(u64_to_user_ptr(run.results), results, run.result_count * sizeof(*results)) ||
		   copy_to_user(arg, &run, sizeof(run))))
		r = -EFAULT;
	kfree(results);
	kfree(fields);
	return r;
}

static long device_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (request) {
	case VMX_CASES_INFO:
		return get_info(user);
	case VMX_CASES_MSR:
		return get_msr(user);
	case VMX_CASES_RUN:
		return run_case(user);
	default:
		return -ENOTTY;
	}
}

static int device_open(struct inode *inode, struct file *file)
{
	return capable(CAP_SYS_RAWIO) ? 0 : -EPERM;
}

static ssize_t device_read(struct file *file, char __user *to, size_t count, loff_t *offset)
{
	return simple_read_from_buffer(to, count, offset, page_address(arena), VMX_CASES_ARENA_BYTES);
}

static ssize_t device_write(struct file *file, const char __user *from, size_t count, loff_t *offset)
{
	return simple_write_to_buffer(page_address(arena), VMX_CASES_ARENA_BYTES, offset, from, count);
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.read = device_read,
	.write = device_write,
	.unlocked_ioctl = device_ioctl,
	.llseek = default_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vmx_cases",
	.fops = &operations,
	.mode = 0600,
};

static void free_all(void)
{
	free_page((unsigned long)regions.vmcs);
	free_page((unsigned long)regions.vmxon);
	if (arena)
		__free_pages(arena, ARENA_ORDER);
}

static int __init vmx_cases_init(void)
{
	int r = -ENOMEM;

	if (!boot_cpu_has(X86_FEATURE_VMX)) {
		pr_err("vmx_cases: this processor has no VMX, or the firmware has switched it off\n");
		return -ENODEV;
	}
	arena = alloc_pages(GFP_KERNEL | __GFP_ZERO, ARENA_ORDER);
	regions.vmxon = (void *)get_zeroed_page(GFP_KERNEL);
	regions.vmcs = (void *)get_zeroed_page(GFP_KERNEL);
	if (arena && regions.vmxon && regions.vmcs)
		r = misc_register(&device);
	if (r)
		free_all();
	return r;
}

static void __exit vmx_cases_exit(void)
{
	misc_deregister(&device);
	free_all();
}

module_init(vmx_cases_init);
module_exit(vmx_cases_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("VM entries from user space, for tests of the simulated processor against this one");
