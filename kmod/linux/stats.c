// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* KVM_GET_STATS_FD: a file with what is counted of a VM or a vCPU. It keeps the VM alive, and with it its vCPUs. */
#include "files.h"
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/uaccess.h>

/* A whole file for each read, however little of it is asked for: what it says is of one moment, as far as a vCPU that runs has one. */
static ssize_t read_vm(struct file *file, char __user *user, size_t size, loff_t *at)
{
	struct linux_vm *vm = file->private_data;
	struct lkx_stats_file s;
	u32 bytes = lkx_stats_of_vm(&vm->core, &s);

	snprintf(s.id, sizeof(s.id), "likex-%u", vm->id);
	return simple_read_from_buffer(user, size, at, &s, bytes);
}

static ssize_t read_vcpu(struct file *file, char __user *user, size_t size, loff_t *at)
{
	struct lkx_vcpu *v = file->private_data;
	struct lkx_stats_file s;
	u32 bytes = lkx_stats_of_vcpu(&v->stats, &s);

	snprintf(s.id, sizeof(s.id), "likex-%u/vcpu-%u", linux_vm(v->vm)->id, v->id);
	return simple_read_from_buffer(user, size, at, &s, bytes);
}

static int release_vm(struct inode *inode, struct file *file)
{
	lkx_vm_put(file->private_data);
	return 0;
}

static int release_vcpu(struct inode *inode, struct file *file)
{
	struct lkx_vcpu *v = file->private_data;

	lkx_vm_put(linux_vm(v->vm));
	return 0;
}

static const struct file_operations vm_stats = {
	.owner = THIS_MODULE,
	.read = read_vm,
	.release = release_vm,
	.llseek = noop_llseek,
};

static const struct file_operations vcpu_stats = {
	.owner = THIS_MODULE,
	.read = read_vcpu,
	.release = release_vcpu,
	.llseek = noop_llseek,
};

int lkx_stats_fd(struct linux_vm *vm, struct linux_vcpu *lv)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = lv ? anon_inode_getfile("likex-vcpu-stats", &vcpu_stats, &lv->core, O_RDONLY) :
		    anon_inode_getfile("likex-vm-stats", &vm_stats, vm, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	refcount_inc(&vm->users);
	file->f_mode |= FMODE_PREAD;
	fd_install(fd, file);
	return fd;
}
