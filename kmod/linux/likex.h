/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What Linux adds to the core's VM and vCPU, and which file does what. Only kmod/linux includes this. */
#ifndef LKX_LINUX_LIKEX_H
#define LKX_LINUX_LIKEX_H

#include "exits.h"
#include "vcpu.h"
#include "vmx_cpu.h"
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/user-return-notifier.h>
#include <asm/fpu/api.h>

#undef pr_fmt
#define pr_fmt(fmt) "likex: " fmt

struct lkx_mm;
struct lkx_system;

/* [I] immutable after creation  [L] lock  [a] atomic or published with release/acquire */
struct linux_vm {
	struct lkx_vm core;
	refcount_t users;               /* [a] VM fd, each vCPU fd, the system fd that made it */
	struct mutex lock;              /* slots, vCPU creation, VM-wide settings */
	struct mm_struct *mm;           /* [I] the address space its slots are in; held by mmgrab */
	struct lkx_mm *watcher;         /* [I] the mmu_notifier of mm, shared by its VMs */
	struct list_head ranges;        /* [L] where its slots are in mm: lkx_range.link */
	struct list_head irqfds;        /* [L] irqfd.c's */
	struct lkx_system *system;      /* [I] the open of the device that made it */
	spinlock_t reclaim_lock;        /* the host takes page tables; not once it is off the list of VMs. Outside of ept.lock */
	u32 id;                         /* [I] its number in debugfs */
	pid_t pid;                      /* [I] the process that made it, for people */
	struct rcu_head rcu;
};

/* What a vCPU with a local APIC in the kernel has. */
struct lkx_lapic_host {
	struct lkx_vcpu *vcpu;          /* [I] */
	struct rcuwait wait;            /* the vCPU's thread, while it waits in plat_block */
	struct hrtimer timer;
	u64 poll_ns;                    /* how long it looks around before it sleeps; the thread's own */
};

struct linux_vcpu {
	struct lkx_vcpu core;
	struct mutex lock;              /* one ioctl at a time */
	/* VMCS and where it is loaded */
	void *vmcs;                     /* [I] one page */
	u64 vmcs_pa;                    /* [I] */
	int cpu;                        /* CPU whose processor holds the VMCS, -1 none; written there with interrupts off */
	struct list_head loaded_link;   /* that CPU's list of loaded VMCSs; interrupts off on that CPU */
	bool loaded;                    /* between vcpu_load and vcpu_put, in the thread and not switched out */
	struct preempt_notifier preempt;
	/* the run page and the I/O page */
	struct page *run_page[LIKEX_RUN_PAGES]; /* [I] */
	/* host state to bring back when the vCPU is put */
	bool host_switched;             /* the guest's MSRs are in the processor; only while loaded */
	bool l1d_touched;               /* since the last entry this thread may have worked on more than the vCPU */
	bool msrs_differ;               /* not the host's are in the processor, but loaded_msrs; only while host_switched */
	struct host_msrs loaded_msrs;
	unsigned long host_debugctl;
	u16 host_ds, host_es, host_fs, host_gs;
	u64 host_fs_base, host_kernel_gs_base;
	unsigned long host_cr3, host_cr4; /* as in the VMCS */
	struct lkx_lapic_host *lapic;   /* [I] NULL: none */
	/* extended state */
	struct fpu_guest fpu;
	bool sigset_active;
	sigset_t sigset;
};

static inline struct linux_vm *linux_vm(struct lkx_vm *vm)
{
	return container_of(vm, struct linux_vm, core);
}

static inline struct linux_vcpu *linux_vcpu(struct lkx_vcpu *v)
{
	return container_of(v, struct linux_vcpu, core);
}

/* vcpu_run.c */
/* 0, or -EINVAL: its parameter is wrong. */
int lkx_run_init(void);
/* mitigations=off */
extern bool lkx_guests_share_predictors;

/* --- mm.c: one mmu_notifier an address space --- */

/* Begins to watch vm->mm (current->mm). 0 or -errno. */
int lkx_mm_watch(struct linux_vm *vm);
/* Ends it. Waits at most for a notifier that is zapping; afterwards none touches vm, whatever slots it has. */
void lkx_mm_unwatch(struct linux_vm *vm);
/* lkx_memslot_apply for a region that lkx_memslot_check has passed, with the notifiers told. vm->lock. 0 or -ENOMEM. */
int lkx_mm_apply_slot(struct linux_vm *vm, const struct kvm_userspace_memory_region *region);
/* Module exit: waits for the last freed watcher. */
void lkx_mm_exit(void);

#endif
