/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * User space's meaning of kmod/hw/plat.h: the same names over the C library, GCC's atomics and one table of
 * functions that a simulator fills. Physical addresses of pages are their virtual ones. Nothing is global:
 * what there is to know is in the struct lkx_hw that each call is given, so any number live side by side.
 */
#ifndef LKX_PLAT_H
#define LKX_PLAT_H

#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "plat_names.h"

struct lkx_hw;
struct lkx_vm;
struct lkx_vcpu;
struct lkx_exit;
struct hw_ops;

struct plat_page {
	u64 pfn;
	bool writable;
	void *ref;
};

/* First member of what readers may still hold after it was replaced. */
struct plat_rcu_head {
	void *next;
};

struct plat_spinlock {
	u32 taken;
};

struct lkx_host_clocks {
	u64 boot, real, tsc;
	u32 epoch;
	bool tsc_stable;
};

/* What a simulator answers for the operating system. kmod/hw/plat.h has each one's contract. */
struct plat_ops {
	int (*user_read)(struct lkx_hw *hw, void *to, u64 hva, size_t len);
	int (*user_write)(struct lkx_hw *hw, u64 hva, const void *from, size_t len);
	int (*user_cmpxchg)(struct lkx_hw *hw, u64 hva, unsigned int size, u64 old, u64 new_value);
	int (*page_get)(struct lkx_vm *vm, u64 hva, bool write, bool want_writable, struct plat_page *page);
	void (*page_put)(struct lkx_vm *vm, struct plat_page *page, bool dirtied);
	u64 (*mmu_begin)(struct lkx_vm *vm);
	bool (*mmu_retry)(struct lkx_vm *vm, u64 seq, u64 hva, u64 size);
	/* `near` is all 0 before. NULL: never is anything near, nor large. */
	int (*pages_near)(struct lkx_vm *vm, u64 hva, u32 count, u64 *near);
	bool (*slots_locked)(struct lkx_vm *vm);
	void (*kick_guests)(struct lkx_vm *vm);
	int (*run_poll)(struct lkx_vcpu *v);
	bool (*entry_begin)(struct lkx_vcpu *v);
	bool (*entry_pending)(struct lkx_vcpu *v);
	void (*host_event)(struct lkx_vcpu *v, u32 interruption_info);
	void (*entry_end)(struct lkx_vcpu *v);
	u32 (*cpu)(struct lkx_vcpu *v);
	/* May be NULL where no VM has local APICs. */
	int (*lapic_create)(struct lkx_vcpu *v);
	void (*lapic_destroy)(struct lkx_vcpu *v);
	u64 (*now)(struct lkx_hw *hw);
	void (*timer_set)(struct lkx_vcpu *v, u64 at);
	void (*notify)(struct lkx_vcpu *v, bool posted);
	int (*block)(struct lkx_vcpu *v);
	/* May be NULL where no event is ever added. */
	void (*ioevent_signal)(struct lkx_vm *vm, void *target);
	u64 (*guest_xcr0)(struct lkx_hw *hw);
	u32 (*tsc_khz)(struct lkx_hw *hw);
	void (*host_clocks)(struct lkx_hw *hw, struct lkx_host_clocks *now);
	/* NULL: that is not known. */
	u64 (*run_delay)(struct lkx_hw *hw);
	/* `condition`, which must never hold, did. */
	void (*warn)(struct lkx_hw *hw, const char *condition, const char *file, int line);
	/* Each may be NULL: nobody watches. */
	void (*trace_entry)(struct lkx_vcpu *v);
	void (*trace_exit)(struct lkx_vcpu *v, const struct lkx_exit *e);
	void (*trace_inject)(struct lkx_vcpu *v, u32 interruption_info, u32 error_code);
	void (*trace_fault)(struct lkx_vcpu *v, u64 gpa, u64 qualification, u64 spte);
	void (*trace_mmio)(struct lkx_vcpu *v, u64 gpa, u32 len, bool write, u64 data);
	void (*trace_pio)(struct lkx_vcpu *v, u16 port, u32 size, u32 count, bool in);
};

/* Who sees the pages of page tables come, change and go. Every function is there. */
struct plat_watch {
	void (*allocated)(struct lkx_hw *hw, void *page);
	/* Before it is freed. */
	void (*freed)(struct lkx_hw *hw, void *page);
	/* An entry is about to be written: the last moment for a processor that walks. */
	void (*writing)(struct lkx_hw *hw, u64 *entry);
	void (*written)(struct lkx_hw *hw, u64 *entry, u64 old);
	/* A lock was given up: here others come in between. */
	void (*unlocked)(struct lkx_hw *hw, struct plat_spinlock *l);
};

/* A simulated processor and the platform under it. A simulator puts its own state behind `context`. */
struct lkx_hw {
	const struct hw_ops *processor;
	const struct plat_ops *platform;
	const struct plat_watch *watch; /* NULL: nobody */
	void *context;
	/* What the core holds of it now; 0 after the last object is destroyed. */
	u64 pages, objects;
	s64 tables; /* of plat_tables_add; 0 after the last VM is destroyed */
	/* Allocations that still succeed, for tests of running out; negative: any number. */
	s64 allocations_left;
	/* Readers in plat_rcu_lock and what waits for them to leave. */
	struct plat_spinlock rcu_lock;
	u64 rcu_readers;
	struct plat_rcu_head *rcu_deferred;
};

/* --- pages and objects (memory.c) --- */

void *plat_page_alloc(struct lkx_hw *hw);
void plat_page_free(struct lkx_hw *hw, void *page);
void *plat_alloc(struct lkx_hw *hw, size_t size);
void plat_free(struct lkx_hw *hw, void *p);

static inline u64 plat_phys(struct lkx_hw *hw, const void *page)
{
	(void)hw;
	return (u64)(uintptr_t)page;
}

static inline void *plat_virt(struct lkx_hw *hw, u64 pa)
{
	(void)hw;
	return (void *)(uintptr_t)pa;
}

static inline void plat_tables_add(struct lkx_hw *hw, s64 n)
{
	hw->tables += n;
}

/* Frees when the last reader that was in leaves (rcu.c); `m` must be the first member, as for the kernel's kvfree_rcu offset 0. */
#define plat_free_deferred(hw, p, m)                                          \
	do {                                                                  \
		BUILD_BUG_ON(offsetof(__typeof__(*(p)), m) != 0);             \
		plat_rcu_defer((hw), &(p)->m);                                \
	} while (0)
void plat_rcu_defer(struct lkx_hw *hw, struct plat_rcu_head *head);
void plat_rcu_lock(struct lkx_hw *hw);
void plat_rcu_unlock(struct lkx_hw *hw);

#define plat_rcu_ptr
#define plat_rcu_load(hw, p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define plat_rcu_load_locked(hw, p, held) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define plat_rcu_store(hw, p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)

/* --- locks and atomics --- */

#define plat_spin_init(hw, l) ((void)(hw), (l)->taken = 0)
void plat_spin_lock(struct lkx_hw *hw, struct plat_spinlock *l);
void plat_spin_unlock(struct lkx_hw *hw, struct plat_spinlock *l);

static inline u64 plat_load64(const u64 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void plat_store64(u64 *p, u64 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline u64 plat_cmpxchg64(u64 *p, u64 old, u64 new_value)
{
	__atomic_compare_exchange_n(p, &old, new_value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}

static inline u64 plat_xchg64(u64 *p, u64 new_value)
{
	return __atomic_exchange_n(p, new_value, __ATOMIC_SEQ_CST);
}

static inline u64 plat_add64(u64 *p, u64 n)
{
	return __atomic_add_fetch(p, n, __ATOMIC_SEQ_CST);
}

/* An entry of a page table: each write of one is shown to who watches. */
static inline void plat_entry_store(struct lkx_hw *hw, u64 *entry, u64 e)
{
	u64 old = plat_load64(entry);

	if (hw->watch)
		hw->watch->writing(hw, entry);
	plat_store64(entry, e);
	if (hw->watch)
		hw->watch->written(hw, entry, old);
}

static inline u64 plat_entry_cmpxchg(struct lkx_hw *hw, u64 *entry, u64 old, u64 e)
{
	u64 seen;

	if (hw->watch)
		hw->watch->writing(hw, entry);
	seen = plat_cmpxchg64(entry, old, e);
	if (hw->watch && seen == old)
		hw->watch->written(hw, entry, old);
	return seen;
}

static inline u64 plat_entry_xchg(struct lkx_hw *hw, u64 *entry, u64 e)
{
	u64 old;

	if (hw->watch)
		hw->watch->writing(hw, entry);
	old = plat_xchg64(entry, e);
	if (hw->watch)
		hw->watch->written(hw, entry, old);
	return old;
}

static inline u32 plat_load32(const u32 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void plat_store32(u32 *p, u32 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline u32 plat_load32_acquire(const u32 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void plat_store32_release(u32 *p, u32 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline u8 plat_load8(const u8 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void plat_or8(u8 *p, u8 bits)
{
	__atomic_or_fetch(p, bits, __ATOMIC_SEQ_CST);
}

static inline void plat_and8(u8 *p, u8 bits)
{
	__atomic_and_fetch(p, bits, __ATOMIC_SEQ_CST);
}

/* A moment of a long piece of work at which others may have the CPU: user space is switched at any time. */
static inline void plat_breathe(struct lkx_hw *hw)
{
	(void)hw;
}

#define plat_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define plat_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define plat_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

#define plat_read_once(x) (*(const volatile __typeof__(x) *)&(x))
#define plat_write_once(x, v) ((void)(*(volatile __typeof__(x) *)&(x) = (v)))
#define plat_immediate_exit(run) plat_read_once((run)->immediate_exit)

/* --- the VMM's address space --- */

static inline int plat_user_read(struct lkx_hw *hw, void *to, u64 hva, size_t len)
{
	return hw->platform->user_read(hw, to, hva, len);
}

static inline int plat_user_write(struct lkx_hw *hw, u64 hva, const void *from, size_t len)
{
	return hw->platform->user_write(hw, hva, from, len);
}

static inline int plat_user_write_atomic(struct lkx_hw *hw, u64 hva, const void *from, size_t len)
{
	return hw->platform->user_write(hw, hva, from, len);
}

static inline int plat_user_cmpxchg(struct lkx_hw *hw, u64 hva, unsigned int size, u64 old, u64 new_value)
{
	return hw->platform->user_cmpxchg(hw, hva, size, old, new_value);
}

/* Addresses below the kernel's half, as on x86-64 with four-level paging. */
static inline bool plat_user_range_ok(struct lkx_hw *hw, u64 hva, u64 size)
{
	const u64 limit = (1ull << 47) - 4096;

	(void)hw;
	return size <= limit && hva <= limit - size;
}

/* --- of a VM or a vCPU: to its hw's table (dispatch.c) --- */

int plat_page_get(struct lkx_vm *vm, u64 hva, bool write, bool want_writable, struct plat_page *page);
void plat_page_put(struct lkx_vm *vm, struct plat_page *page, bool dirtied);
u64 plat_mmu_begin(struct lkx_vm *vm);
bool plat_mmu_retry(struct lkx_vm *vm, u64 seq, u64 hva, u64 size);
#define PLAT_NEAR_PRESENT 1ull
#define PLAT_NEAR_WRITABLE 2ull
int plat_pages_near(struct lkx_vm *vm, u64 hva, u32 count, u64 *near);
void plat_kick_guests(struct lkx_vm *vm);
int plat_run_poll(struct lkx_vcpu *v);
bool plat_entry_begin(struct lkx_vcpu *v);
bool plat_entry_pending(struct lkx_vcpu *v);
void plat_host_event(struct lkx_vcpu *v, u32 interruption_info);
void plat_entry_end(struct lkx_vcpu *v);
u32 plat_cpu(struct lkx_vcpu *v);
int plat_lapic_create(struct lkx_vcpu *v);
void plat_lapic_destroy(struct lkx_vcpu *v);
void plat_timer_set(struct lkx_vcpu *v, u64 at);
void plat_notify(struct lkx_vcpu *v, bool posted);
#define PLAT_NOTIFICATION_VECTOR 0xf2
int plat_block(struct lkx_vcpu *v);
void plat_ioevent_signal(struct lkx_vm *vm, void *target);

static inline u64 plat_now(struct lkx_hw *hw)
{
	return hw->platform->now(hw);
}

static inline u64 plat_guest_xcr0(struct lkx_hw *hw)
{
	return hw->platform->guest_xcr0(hw);
}

static inline void plat_cpuid_limit(struct lkx_hw *hw, u32 leaf, u32 index, u32 out[4])
{
	/* A simulated host uses all that its processor has. */
}

static inline void plat_host_clocks(struct lkx_hw *hw, struct lkx_host_clocks *now)
{
	hw->platform->host_clocks(hw, now);
}

static inline bool plat_knows_run_delay(struct lkx_hw *hw)
{
	return hw->platform->run_delay;
}

static inline u64 plat_run_delay(struct lkx_hw *hw)
{
	return hw->platform->run_delay(hw);
}

static inline u32 plat_tsc_khz(struct lkx_hw *hw)
{
	return hw->platform->tsc_khz(hw);
}

/* --- seeing what happens --- */

#define plat_warn_on(hw, cond)                                                         \
	({                                                                             \
		bool warned = (cond);                                                  \
		if (warned)                                                            \
			(hw)->platform->warn((hw), #cond, __FILE__, __LINE__);         \
		warned;                                                                \
	})
/* Checked by the compiler, printed by nobody. */
static inline void plat_debug(struct lkx_hw *hw, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void plat_debug(struct lkx_hw *hw, const char *format, ...)
{
	(void)hw;
	(void)format;
}

void plat_trace_entry(struct lkx_vcpu *v);
void plat_trace_exit(struct lkx_vcpu *v, const struct lkx_exit *e);
void plat_trace_inject(struct lkx_vcpu *v, u32 interruption_info, u32 error_code);
void plat_trace_fault(struct lkx_vcpu *v, u64 gpa, u64 qualification, u64 spte);
void plat_trace_mmio(struct lkx_vcpu *v, u64 gpa, u32 len, bool write, u64 data);
void plat_trace_pio(struct lkx_vcpu *v, u16 port, u32 size, u32 count, bool in);

#endif
