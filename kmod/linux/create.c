// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * LIKEX_CREATE: all of a small VM in one call. Nobody else sees anything of it before its last step, which can't fail: files that have no
 * descriptor yet, and descriptors that have no file, are taken back, and a file's end takes what it stands for with it.
 */
#include "create.h"
#include "files.h"
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/* The struct, checked, copied once; what is behind it must be zeroes. An ERR_PTR otherwise. */
static struct likex_create *copy_in(struct likex_create __user *user)
{
	struct likex_create *c;
	u32 size;
	int r;

	if (get_user(size, &user->size))
		return ERR_PTR(-EFAULT);
	r = lkx_create_check_size(size);
	if (r)
		return ERR_PTR(r);
	c = kmalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		return ERR_PTR(-ENOMEM);
	r = copy_struct_from_user(c, sizeof(*c), user, size);
	if (!r)
		r = lkx_create_check(c);
	if (r) {
		kfree(c);
		return ERR_PTR(r);
	}
	return c;
}

/* Both files, or -errno. They hold the VM together. */
static int make_files(struct linux_vm *vm, const struct likex_create *c, struct file **vm_file, struct file **vcpu_file)
{
	int r = 0;
	u32 i;

	*vm_file = lkx_vm_file(vm);
	if (IS_ERR(*vm_file))
		return PTR_ERR(*vm_file);
	for (i = 0; !r && i < c->memslots; i++)
		r = lkx_vm_set_region(vm, &c->memslot[i]);
	if (!r) {
		*vcpu_file = lkx_vcpu_file(vm, c->vcpu_id, c);
		r = PTR_ERR_OR_ZERO(*vcpu_file);
	}
	if (r)
		fput(*vm_file);
	return r;
}

/* With the descriptors taken. */
static long create(struct lkx_system *s, const struct likex_create *c, const struct likex_created *created,
		   struct likex_created __user *answer)
{
	struct linux_vm *vm = lkx_vm_alloc(s);
	struct file *vm_file, *vcpu_file;
	int r;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	r = make_files(vm, c, &vm_file, &vcpu_file);
	if (r)
		return r;
	if (copy_to_user(answer, created, sizeof(*created))) {
		fput(vcpu_file);
		fput(vm_file);
		return -EFAULT;
	}
	fd_install(created->vcpu_fd, vcpu_file);
	lkx_vm_install(vm, vm_file, created->vm_fd);
	return 0;
}

static long create_at_descriptors(struct lkx_system *s, const struct likex_create *c, struct likex_created __user *answer)
{
	struct likex_created created = { .run_size = LIKEX_RUN_PAGES * PAGE_SIZE };
	long r;

	created.vm_fd = get_unused_fd_flags(O_CLOEXEC);
	if (created.vm_fd < 0)
		return created.vm_fd;
	created.vcpu_fd = get_unused_fd_flags(O_CLOEXEC);
	r = created.vcpu_fd < 0 ? created.vcpu_fd : create(s, c, &created, answer);
	if (r) {
		if (created.vcpu_fd >= 0)
			put_unused_fd(created.vcpu_fd);
		put_unused_fd(created.vm_fd);
	}
	return r;
}

long lkx_create(struct lkx_system *s, void __user *argument)
{
	struct likex_create __user *user = argument;
	struct likex_create *c = copy_in(user);
	long r;

	if (IS_ERR(c))
		return PTR_ERR(c);
	r = create_at_descriptors(s, c, &user->created);
	kfree(c);
	return r;
}
