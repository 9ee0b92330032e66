// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * /sys/kernel/debug/likex/ept: the extended page tables of every VM, for root only. <uapi/likex.h> has the format. It shows guest
 * physical addresses, never the host's.
 *
 * One file for all VMs, so that making and ending one touches nothing but `vms`. A read holds no lock from one line to the next: each line
 * finds its VM anew, by number under RCU, and its place in the tree by address under ept.lock. A VM that ends meanwhile is not kept: its
 * tables go under ept.lock, its struct after a grace period, and its last line says that it has gone.
 */
#include "debugfs.h"
#include "ept_dump.h"
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/xarray.h>

/* All VMs by number. Writers: its own lock. Readers: RCU. */
static struct xarray vms = XARRAY_INIT(vms, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
static u32 next_id; /* lock of `vms` */
static struct dentry *folder; /* [I] after lkx_debugfs_init */

enum line { LINE_FORMAT, LINE_VM, LINE_ENTRY, LINE_END, LINE_GONE, LINE_NONE };

/* One open of the file; seq_file's lock. The line at `position` is kept, because seq_file asks for it again when its buffer was full. */
struct reader {
	loff_t position;
	enum line line;
	unsigned long id; /* of the VM that is read */
	struct lkx_ept_cursor cursor;
	struct lkx_ept_record record; /* LINE_ENTRY */
	/* LINE_VM */
	pid_t pid;
	u64 max_gfn, tables;
	bool access_dirty;
};

int lkx_debugfs_add(struct linux_vm *vm)
{
	int r = xa_alloc_cyclic(&vms, &vm->id, vm, xa_limit_31b, &next_id, GFP_KERNEL);

	return r < 0 ? r : 0;
}

void lkx_debugfs_remove(struct linux_vm *vm)
{
	xa_erase(&vms, vm->id);
}

struct linux_vm *lkx_debugfs_find(unsigned long *id)
{
	return xa_find(&vms, id, ULONG_MAX, XA_PRESENT);
}

/* The next VM, from number reader->id on. */
static void read_vm(struct reader *reader)
{
	struct linux_vm *vm;

	rcu_read_lock();
	vm = lkx_debugfs_find(&reader->id);
	reader->line = vm ? LINE_VM : LINE_NONE;
	if (vm) {
		struct lkx_ept *ept = &vm->core.ept;

		reader->pid = vm->pid;
		reader->cursor = lkx_ept_first();
		plat_spin_lock(NULL, &ept->lock);
		reader->max_gfn = ept->max_gfn;
		reader->tables = ept->tables;
		reader->access_dirty = ept->eptp & EPTP_ACCESS_DIRTY;
		plat_spin_unlock(NULL, &ept->lock);
	}
	rcu_read_unlock();
}

/* The next entry of the VM's tree. */
static void read_entry(struct reader *reader)
{
	struct linux_vm *vm;

	rcu_read_lock();
	vm = xa_load(&vms, reader->id);
	if (vm) {
		plat_spin_lock(NULL, &vm->core.ept.lock);
		if (!vm->core.ept.root)
			reader->line = LINE_GONE;
		else if (lkx_ept_next(&vm->core, &reader->cursor, &reader->record))
			reader->line = LINE_ENTRY;
		else
			reader->line = LINE_END;
		plat_spin_unlock(NULL, &vm->core.ept.lock);
	} else {
		reader->line = LINE_GONE;
	}
	rcu_read_unlock();
}

static void advance(struct reader *reader)
{
	switch (reader->line) {
	case LINE_FORMAT:
		read_vm(reader);
		return;
	case LINE_VM:
	case LINE_ENTRY:
		read_entry(reader);
		return;
	case LINE_END:
	case LINE_GONE:
		reader->id++;
		read_vm(reader);
		return;
	case LINE_NONE:
		return;
	}
}

static void *ept_start(struct seq_file *m, loff_t *position)
{
	struct reader *reader = m->private;

	if (*position == 0) {
		memset(reader, 0, sizeof(*reader));
		reader->line = LINE_FORMAT;
	}
	/* seq_file goes from line to line, or back to the first. */
	if (WARN_ON_ONCE(*position != reader->position))
		return NULL;
	return reader->line == LINE_NONE ? NULL : reader;
}

static void *ept_next(struct seq_file *m, void *v, loff_t *position)
{
	struct reader *reader = m->private;

	reader->position = ++*position;
	advance(reader);
	return reader->line == LINE_NONE ? NULL : reader;
}

static void ept_stop(struct seq_file *m, void *v)
{
	/* Nothing is held from line to line. */
}

static int ept_show(struct seq_file *m, void *v)
{
	const struct reader *reader = v;
	const struct lkx_ept_record *record = &reader->record;

	switch (reader->line) {
	case LINE_FORMAT:
		seq_printf(m, "likex-ept %u\n", LIKEX_EPT_FORMAT);
		break;
	case LINE_VM:
		seq_printf(m, "vm %lu pid %d frames %#llx tables %llu ad %u\n", reader->id, reader->pid,
			   reader->max_gfn + 1, reader->tables, reader->access_dirty);
		break;
	case LINE_ENTRY:
		seq_printf(m, "%s %u %#llx %u %#llx\n", record->leaf ? "leaf" : "table", record->level, record->gpa,
			   record->count, record->bits);
		break;
	case LINE_END:
		seq_puts(m, "end\n");
		break;
	case LINE_GONE:
		seq_puts(m, "gone\n");
		break;
	case LINE_NONE:
		break;
	}
	return 0;
}

static const struct seq_operations ept_operations = {
	.start = ept_start,
	.next = ept_next,
	.stop = ept_stop,
	.show = ept_show,
};

static int ept_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &ept_operations, sizeof(struct reader));
}

static const struct file_operations ept_fops = {
	.owner = THIS_MODULE,
	.open = ept_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

void lkx_debugfs_init(void)
{
	folder = debugfs_create_dir("likex", NULL);
	debugfs_create_file("ept", 0400, folder, NULL, &ept_fops);
}

void lkx_debugfs_exit(void)
{
	debugfs_remove(folder);
}
