// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* A vCPU: its birth and end, its file and its mapping. */
#include "create.h"
#include "files.h"
#include "fpu.h"
#include "vcpu_load.h"
#include "vmx_cpu.h"
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

static DEFINE_IDA(vpids); /* its own lock */

/* 0 when none is left: the vCPU's translations are then flushed by every transition. */
static u16 vpid_alloc(void)
{
	int vpid = lkx_caps.vpid ? ida_alloc_range(&vpids, 1, U16_MAX, GFP_KERNEL) : 0;

	return vpid > 0 ? vpid : 0;
}

void lkx_vcpu_free(struct linux_vcpu *lv)
{
	unsigned int i;

	lkx_vmcs_clear(lv);
	free_page((unsigned long)lv->vmcs);
	if (lv->core.vpid)
		ida_free(&vpids, lv->core.vpid);
	lkx_vcpu_destroy(&lv->core);
	lkx_fpu_destroy(lv);
	/* A mapping of user space's keeps its own reference. */
	for (i = 0; i < LIKEX_RUN_PAGES; i++)
		if (lv->run_page[i])
			put_page(lv->run_page[i]);
	kfree(lv);
}

/* LIKEX_CREATE's part of a vCPU that is otherwise ready, and loaded. */
static int set_up(struct linux_vcpu *lv, const struct likex_create *c)
{
	int r = 0;

	if (c->cpuid)
		r = lkx_vcpu_set_cpuid(lv, u64_to_user_ptr(c->cpuid));
	return r ? r : lkx_create_registers(&lv->core, c);
}

static struct linux_vcpu *vcpu_alloc(struct linux_vm *vm, u32 id, const struct likex_create *c)
{
	struct linux_vcpu *lv = kzalloc(sizeof(*lv), GFP_KERNEL_ACCOUNT);
	unsigned int i;
	int r = -ENOMEM;

	if (!lv)
		return ERR_PTR(-ENOMEM);
	mutex_init(&lv->lock);
	lv->cpu = -1;
	lv->core.vm = &vm->core;
	lv->core.id = id;
	for (i = 0; i < LIKEX_RUN_PAGES; i++) {
		lv->run_page[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!lv->run_page[i])
			goto fail;
	}
	lv->core.run = page_address(lv->run_page[0]);
	lv->core.pio_data = page_address(lv->run_page[LIKEX_PIO_PAGE]);
	lv->vmcs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!lv->vmcs)
		goto fail;
	lv->vmcs_pa = virt_to_phys(lv->vmcs);
	*(u32 *)lv->vmcs = lkx_caps.revision;
	if (lkx_fpu_init(lv))
		goto fail;
	lv->core.vpid = vpid_alloc();

	/* Its first load: the processor's view of the page begins with VMCLEAR. SDM vol. 3, 25.11.3. */
	preempt_disable();
	if (this_cpu_read(lkx_cpu.vmx_on))
		hw_vmclear(NULL, lv->vmcs_pa);
	preempt_enable();
	lkx_vcpu_load(lv);
	lkx_host_state_init(lv);
	r = lkx_vcpu_init(&lv->core);
	if (!r && c)
		r = set_up(lv, c);
	lkx_vcpu_put(lv);
	if (r)
		goto fail;
	pr_debug("vcpu %u: vmcs %#llx vpid %u\n", id, lv->vmcs_pa, lv->core.vpid);
	return lv;
fail:
	lkx_vcpu_free(lv);
	return ERR_PTR(r);
}

static long vcpu_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return lkx_vcpu_ioctl(file->private_data, cmd, arg);
}

int lkx_vcpu_mmap(struct linux_vcpu *lv, struct vm_area_struct *vma)
{
	unsigned long pages = vma_pages(vma), i;

	/* Pages beyond the last are not there: touching them raises SIGBUS. */
	for (i = 0; i < pages && vma->vm_pgoff + i < LIKEX_RUN_PAGES; i++) {
		int r = vm_insert_page(vma, vma->vm_start + i * PAGE_SIZE, lv->run_page[vma->vm_pgoff + i]);

		if (r)
			return r;
	}
	return 0;
}

static int vcpu_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	return lkx_vcpu_mmap(file->private_data, vma);
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct linux_vcpu *lv = file->private_data;

	lkx_vm_put(linux_vm(lv->core.vm));
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_file_mmap,
	.llseek = noop_llseek,
};

/* vm->lock. */
static bool id_taken(struct linux_vm *vm, u32 id)
{
	u32 i;

	for (i = 0; i < vm->core.vcpus; i++)
		if (vm->core.vcpu[i]->id == id)
			return true;
	return false;
}

struct file *lkx_vcpu_file(struct linux_vm *vm, unsigned long id, const struct likex_create *c)
{
	struct linux_vcpu *lv;
	struct file *file;

	if (id >= LIKEX_MAX_VCPU_IDS)
		return ERR_PTR(-EINVAL);
	mutex_lock(&vm->lock);
	if (vm->core.vcpus >= LIKEX_MAX_VCPUS) {
		file = ERR_PTR(-EINVAL);
		goto unlock;
	}
	if (id_taken(vm, id)) {
		file = ERR_PTR(-EEXIST);
		goto unlock;
	}
	lv = vcpu_alloc(vm, id, c);
	if (IS_ERR(lv)) {
		file = ERR_CAST(lv);
		goto unlock;
	}
	file = anon_inode_getfile("likex-vcpu", &vcpu_fops, lv, O_RDWR);
	if (IS_ERR(file)) {
		lkx_vcpu_free(lv);
		goto unlock;
	}
	refcount_inc(&vm->users); /* the file's */
	lkx_vm_add_vcpu(&vm->core, &lv->core);
unlock:
	mutex_unlock(&vm->lock);
	return file;
}

int lkx_vcpu_create(struct linux_vm *vm, unsigned long id)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = lkx_vcpu_file(vm, id, NULL);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}
