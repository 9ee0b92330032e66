/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the core asks of the platform it runs on: pages, locks, atomics, the VMM's memory, time, and the
 * few moments of a run that belong to the operating system. This is the kernel's meaning of those names;
 * Sources/CLikexHW/include/plat.h is user space's. Each takes the struct lkx_hw it is asked for first,
 * or an object (vm, vcpu) that knows it: nothing here is global, so simulated machines live side by side.
 */
#ifndef LKX_PLAT_H
#define LKX_PLAT_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/entry-kvm.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/kvm.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/tracepoint-defs.h>
#include <linux/types.h>

struct lkx_hw;
struct lkx_vm;
struct lkx_vcpu;
struct lkx_exit;

/* --- pages and objects; every allocation may sleep and is charged to the caller's cgroup --- */

/* One zeroed page, or NULL. */
static inline void *plat_page_alloc(struct lkx_hw *hw)
{
	return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

static inline void plat_page_free(struct lkx_hw *hw, void *page)
{
	free_page((unsigned long)page);
}

static inline u64 plat_phys(struct lkx_hw *hw, const void *page)
{
	return virt_to_phys((void *)page);
}

static inline void *plat_virt(struct lkx_hw *hw, u64 pa)
{
	return phys_to_virt(pa);
}

DECLARE_PER_CPU(long, lkx_tables);

/* So many more pages are in use that the host can have back at any time: linux/shrinker.c counts them. */
static inline void plat_tables_add(struct lkx_hw *hw, s64 n)
{
	this_cpu_add(lkx_tables, n);
}

/* `size` zeroed bytes, or NULL; where that is a power of two and at most a page, at an address that it divides, and in one piece of memory. */
static inline void *plat_alloc(struct lkx_hw *hw, size_t size)
{
	return kvzalloc(size, GFP_KERNEL_ACCOUNT);
}

static inline void plat_free(struct lkx_hw *hw, void *p)
{
	kvfree(p);
}

/* First member of what readers may still hold after it was replaced. */
struct plat_rcu_head {
	struct rcu_head rcu;
};

/* Frees `p` when no reader in plat_rcu_lock() can hold it any more. Never waits. `m`: its plat_rcu_head member. */
#define plat_free_deferred(hw, p, m) kvfree_rcu(p, m.rcu)

static inline void plat_rcu_lock(struct lkx_hw *hw)
{
	rcu_read_lock();
}

static inline void plat_rcu_unlock(struct lkx_hw *hw)
{
	rcu_read_unlock();
}

/* The pointer is typed with plat_rcu_ptr so that sparse sees who dereferences it. */
#define plat_rcu_ptr __rcu
#define plat_rcu_load(hw, p) rcu_dereference(p)
#define plat_rcu_load_locked(hw, p, held) rcu_dereference_protected(p, held)
#define plat_rcu_store(hw, p, v) rcu_assign_pointer(p, v)

/* --- locks and atomics --- */

struct plat_spinlock {
	spinlock_t lock;
};

#define plat_spin_init(hw, l) spin_lock_init(&(l)->lock)

static inline void plat_spin_lock(struct lkx_hw *hw, struct plat_spinlock *l) __acquires(l)
{
	spin_lock(&l->lock);
	__acquire(l);
}

static inline void plat_spin_unlock(struct lkx_hw *hw, struct plat_spinlock *l) __releases(l)
{
	__release(l);
	spin_unlock(&l->lock);
}

/* A 64-bit word that others write at the same time: whole, and in the order the barriers say. */
static inline u64 plat_load64(const u64 *p)
{
	return READ_ONCE(*p);
}

static inline void plat_store64(u64 *p, u64 v)
{
	WRITE_ONCE(*p, v);
}

static inline u64 plat_cmpxchg64(u64 *p, u64 old, u64 new)
{
	return cmpxchg64(p, old, new);
}

static inline u64 plat_xchg64(u64 *p, u64 new)
{
	return xchg(p, new);
}

/* Adds and returns the new value; a full barrier. */
static inline u64 plat_add64(u64 *p, u64 n)
{
	return xadd(p, n) + n;
}

/* The same for an entry of a page table, which processors walk meanwhile. User space's plat.h shows each of these writes to tests. */
static inline void plat_entry_store(struct lkx_hw *hw, u64 *entry, u64 e)
{
	plat_store64(entry, e);
}

static inline u64 plat_entry_cmpxchg(struct lkx_hw *hw, u64 *entry, u64 old, u64 e)
{
	return plat_cmpxchg64(entry, old, e);
}

static inline u64 plat_entry_xchg(struct lkx_hw *hw, u64 *entry, u64 e)
{
	return plat_xchg64(entry, e);
}

static inline u32 plat_load32(const u32 *p)
{
	return READ_ONCE(*p);
}

static inline void plat_store32(u32 *p, u32 v)
{
	WRITE_ONCE(*p, v);
}

/* Sets bits of a byte whose neighbours are others' to write; a full barrier. */
static inline void plat_or8(u8 *p, u8 bits)
{
	asm volatile(LOCK_PREFIX "orb %1, %0" : "+m"(*p) : "iq"(bits) : "memory");
}

static inline void plat_and8(u8 *p, u8 bits)
{
	asm volatile(LOCK_PREFIX "andb %1, %0" : "+m"(*p) : "iq"(bits) : "memory");
}

static inline u32 plat_load32_acquire(const u32 *p)
{
	return smp_load_acquire(p);
}

static inline void plat_store32_release(u32 *p, u32 v)
{
	smp_store_release(p, v);
}

#define plat_mb() smp_mb()
#define plat_rmb() smp_rmb()
#define plat_wmb() smp_wmb()

/* A moment of a long piece of work, no lock held, at which others may have the CPU. */
static inline void plat_breathe(struct lkx_hw *hw)
{
	cond_resched();
}

/* Fields of the run page, which user space writes at any time: read once, never twice. */
#define plat_read_once(x) READ_ONCE(x)
#define plat_write_once(x, v) WRITE_ONCE(x, v)
/* Newer kernels' headers rename the field for kernel code, so that nobody reads it twice. */
#ifdef HINT_UNSAFE_IN_KVM
#define plat_immediate_exit(run) READ_ONCE((run)->HINT_UNSAFE_IN_KVM(immediate_exit))
#else
#define plat_immediate_exit(run) READ_ONCE((run)->immediate_exit)
#endif

/* --- the VMM's address space (linux/guest_memory.c, linux/mm.c). Only in a call from the VM's own process. --- */

/* Copy `len` bytes; 0 or -EFAULT. May sleep. */
int plat_user_read(struct lkx_hw *hw, void *to, u64 hva, size_t len);
int plat_user_write(struct lkx_hw *hw, u64 hva, const void *from, size_t len);
/* The same where nothing may sleep: -EFAULT too where the page would have to be fetched. */
int plat_user_write_atomic(struct lkx_hw *hw, u64 hva, const void *from, size_t len);
/* Compare and exchange of `size` 4 or 8 naturally aligned bytes: 0, -EAGAIN if *hva was not `old`, -EFAULT. */
int plat_user_cmpxchg(struct lkx_hw *hw, u64 hva, unsigned int size, u64 old, u64 new);

/* May the VMM itself read and write all of [hva, hva + size)? Of addresses only; nothing need be mapped there. */
bool plat_user_range_ok(struct lkx_hw *hw, u64 hva, u64 size);

/* The host page behind an hva, held by a reference until plat_page_put. */
struct plat_page {
	u64 pfn;
	bool writable; /* the guest may be given write access */
	void *ref;     /* the platform's own */
};

/* 0, -EFAULT (no such page, or not writable where `write`), -EINTR, -EAGAIN (try the access again), -EHWPOISON. May sleep. */
int plat_page_get(struct lkx_vm *vm, u64 hva, bool write, bool want_writable, struct plat_page *page);
/* Ends the reference; `dirtied`: the page was mapped writable. */
void plat_page_put(struct lkx_vm *vm, struct plat_page *page, bool dirtied);

/*
 * The race of a fault with the host taking pages away: read a sequence before plat_page_get or plat_pages_near, ask with
 * vm->ept.lock held before EPT entries for [hva, hva + size) are written. True: what was found there may be stale, drop it and start again.
 */
u64 plat_mmu_begin(struct lkx_vm *vm);
bool plat_mmu_retry(struct lkx_vm *vm, u64 seq, u64 hva, u64 size);

/* A frame's address, with these. */
#define PLAT_NEAR_PRESENT BIT_ULL(0)  /* the VMM may read it, without a fault */
#define PLAT_NEAR_WRITABLE BIT_ULL(1) /* may write it, and the host takes it for written already: a guest's write needs no bookkeeping */

/*
 * What the VMM's page tables have behind `count` pages from hva on, one word each; 0 where nothing is there that a guest may be given. Changes
 * nothing, faults nothing in, holds nothing, doesn't sleep: only plat_mmu_retry says that it is still so.
 *
 * Returns how much one entry of those page tables maps there, of addresses and frames that are both aligned to it: 1 a page or nothing, 2 2 MiB,
 * 3 1 GiB. (Where pages from hva on are in several: of the last one.)
 */
int plat_pages_near(struct lkx_vm *vm, u64 hva, u32 count, u64 *near);

/* --- moments of a run (linux/vcpu_run.c) --- */

/* Makes every vCPU of `vm` that is in guest mode leave it, and returns when each has. */
void plat_kick_guests(struct lkx_vm *vm);
/* Signals and rescheduling, interrupts on: 0, or -EINTR when user space must be returned to. */
int lkx_run_poll(void); /* host_work.c */
int lkx_run_work(struct lkx_vcpu *v);
static inline int plat_run_poll(struct lkx_vcpu *v)
{
	/* Signals are part of this work. */
	return unlikely(__xfer_to_guest_mode_work_pending()) ? lkx_run_work(v) : 0;
}
/* From here to plat_entry_end: this CPU, interrupts off, the vCPU's VMCS current, guest FPU and MSRs loaded. False: not possible now. */
bool plat_entry_begin(struct lkx_vcpu *v);
/* Interrupts off and v->mode is in guest: has something come up since plat_run_poll? */
static inline bool plat_entry_pending(struct lkx_vcpu *v)
{
	return __xfer_to_guest_mode_work_pending();
}
/* After an exit, interrupts still off: hands an NMI or machine check that caused it to the host. (Not yet an external interrupt.) */
void plat_host_event(struct lkx_vcpu *v, u32 interruption_info);
/* The CPU this vCPU last ran on, for people. */
u32 plat_cpu(struct lkx_vcpu *v);
/* Interrupts on again: a host interrupt that caused the exit is taken here, be it that of v->exit.interruption_info. */
void plat_entry_end(struct lkx_vcpu *v);

/* --- local APICs (linux/lapic.c) --- */

/* What a vCPU with a local APIC has of the platform: 0 or -ENOMEM. Destroying it ends its timer, and nothing touches the vCPU any more. */
int plat_lapic_create(struct lkx_vcpu *v);
void plat_lapic_destroy(struct lkx_vcpu *v);
/* A clock that never goes back, in nanoseconds. */
static inline u64 plat_now(struct lkx_hw *hw)
{
	return ktime_get_ns();
}

/* At `at` of that clock, or as soon as it is past, lkx_lapic_timer_fired, in any context; in place of what was set before. 0: not at all. */
void plat_timer_set(struct lkx_vcpu *v, u64 at);
/*
 * LKX_REQUEST_LAPIC was made, from any context: v leaves the guest, or plat_block. `posted`: in the guest, by an interrupt of
 * PLAT_NOTIFICATION_VECTOR, which a processor that has v's posted interrupts to process does without leaving it.
 */
void plat_notify(struct lkx_vcpu *v, bool posted);
/* The host does nothing of such an interrupt but to acknowledge it: stock KVM's, POSTED_INTR_VECTOR. */
#define PLAT_NOTIFICATION_VECTOR 0xf2
/* Waits, interrupts on, until there is LKX_REQUEST_LAPIC: 0; or a signal, whatever else there is: -EINTR. */
int plat_block(struct lkx_vcpu *v);

/* --- events (linux/ioeventfd.c) --- */

/* Tells whoever waits for a lkx_ioevent's target. In plat_rcu_lock; does not sleep. */
void plat_ioevent_signal(struct lkx_vm *vm, void *target);

/* --- the guest's extended state and the host's clock --- */

/* What of XCR0 the host lets a guest have. */
u64 plat_guest_xcr0(struct lkx_hw *hw);
/* Takes from what the processor says in a leaf of CPUID (EAX, EBX, ECX, EDX) the features that the host does without. */
void plat_cpuid_limit(struct lkx_hw *hw, u32 leaf, u32 index, u32 out[4]);
/* Ticks of the host's TSC a millisecond. */
u32 plat_tsc_khz(struct lkx_hw *hw);

/* The host's clocks at one instant. */
struct lkx_host_clocks {
	u64 boot, real; /* ns since boot, with the time asleep; since 1970 */
	u64 tsc;
	u32 epoch;       /* another after each sleep: TSCs of different ones have nothing to do with each other */
	bool tsc_stable; /* all processors' TSCs are one clock, which the others follow */
};

void plat_host_clocks(struct lkx_hw *hw, struct lkx_host_clocks *now);

/* How long the calling thread has waited for a processor, in ns: where the kernel counts that. */
static inline bool plat_knows_run_delay(struct lkx_hw *hw)
{
	return IS_ENABLED(CONFIG_SCHED_INFO);
}

static inline u64 plat_run_delay(struct lkx_hw *hw)
{
#ifdef CONFIG_SCHED_INFO
	return current->sched_info.run_delay;
#else
	return 0;
#endif
}

/* --- seeing what happens --- */

#define plat_warn_on(hw, cond) WARN_ON_ONCE(cond)
#define plat_debug(hw, fmt, ...) pr_debug(fmt, ##__VA_ARGS__)

/* Those that every exit passes cost a no-op while nobody listens. The rest of them is in linux/trace.c. */
DECLARE_TRACEPOINT(likex_entry);
DECLARE_TRACEPOINT(likex_exit);
DECLARE_TRACEPOINT(likex_pio);

void lkx_trace_entry(struct lkx_vcpu *v);
static inline void plat_trace_entry(struct lkx_vcpu *v)
{
	if (tracepoint_enabled(likex_entry))
		lkx_trace_entry(v);
}

void lkx_trace_exit(struct lkx_vcpu *v, const struct lkx_exit *e);
static inline void plat_trace_exit(struct lkx_vcpu *v, const struct lkx_exit *e)
{
	if (tracepoint_enabled(likex_exit))
		lkx_trace_exit(v, e);
}

void lkx_trace_pio(struct lkx_vcpu *v, u16 port, u32 size, u32 count, bool in);
static inline void plat_trace_pio(struct lkx_vcpu *v, u16 port, u32 size, u32 count, bool in)
{
	if (tracepoint_enabled(likex_pio))
		lkx_trace_pio(v, port, size, count, in);
}

void plat_trace_inject(struct lkx_vcpu *v, u32 interruption_info, u32 error_code);
void plat_trace_fault(struct lkx_vcpu *v, u64 gpa, u64 qualification, u64 spte);
void plat_trace_mmio(struct lkx_vcpu *v, u64 gpa, u32 len, bool write, u64 data);

#endif
