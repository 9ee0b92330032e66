/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A processor and a platform that hold still: VMCS fields are a flat store, guest memory is an array for each slot,
 * and what the core does to them is recorded. Nothing executes; a test says what the "hardware" reports.
 */
#ifndef FAKE_H
#define FAKE_H

#include "vcpu.h"

/* Why a lookup of a table below has room for this many. */
#define FAKE_TABLE 64

struct fake_pair {
	u32 key;
	u64 value;
};

struct fake_cpuid {
	u32 leaf, sub;
	u32 r[4];
};

struct fake_invalidation {
	bool is_vpid;
	u64 type, which, address;
};

/* What a VM entry found. */
struct fake_entry {
	bool launched;
	u32 mode; /* of the vCPU */
	u64 xcr0, cr2;
};

struct fake {
	struct lkx_hw hw; /* first: fake_of */
	struct lkx_vm vm;
	struct lkx_vmx_caps caps;
	struct lkx_vcpu vcpu;
	u64 *vmcs;        /* by encoding, FAKE_FIELDS of them */
	u8 *run_page;

	u32 msrs, cpuids, invalidations, msr_writes;
	struct fake_pair *msr;
	struct fake_pair *msr_write; /* in order */
	struct fake_cpuid *cpuid;
	struct fake_invalidation *invalidation;

	u32 warnings;     /* plat_warn_on that fired; a test expects 0 */
	u32 reads_of_user_memory, writes_of_user_memory;
	/* While not 0, each compare-and-exchange first finds that another processor XORed `interference` into the word. */
	u32 interfere;
	u64 interference;
	/* VMM memory at and above is taken away: -EFAULT. 0: none. */
	u64 gone_from, gone_to;
	u64 tsc, xcr0, host_xcr0, cr2, cr0, cr3, cr4;
	struct lkx_host_clocks clocks; /* but for the TSC */
	u64 run_delay;
	u32 page_gets, page_puts, kicks;
	bool page_get_fails;

	/* VM entry. What a guest that was entered exits with is what the VMCS says. */
	bool enters;             /* false: VMLAUNCH and VMRESUME fail */
	u32 refusals, pendings;  /* plat_entry_begin's and plat_entry_pending's next answers: so many times not now */
	int polled;              /* plat_run_poll's answer */
	u32 entries, begun, ended, host_events;
	u32 signals;             /* of ioevents */
	u64 signalled;           /* the last one's target */
	struct fake_entry at_entry; /* the last */
	u64 dr[4], dr6;          /* the processor's */
	/* Local APICs. */
	u64 now, timer_at;       /* plat_now's nanoseconds, and what the timer was set to last */
	u32 notified, posted, blocked; /* plat_notify's, and those of posted interrupts among them */
	bool debug_restored;
};

#define FAKE_FIELDS 0x8000

/* A machine whose vCPU is in real mode at 0 with all segments flat; abort() where memory runs out. */
struct fake *fake_create(void);
void fake_destroy(struct fake *f);

static inline struct fake *fake_of(struct lkx_hw *hw)
{
	return (struct fake *)hw;
}

/* A slot of `bytes` zeroed bytes at `gpa`; where they are, or NULL: no room. Slots must be added in order of gpa. */
u8 *fake_add_slot(struct fake *f, u64 gpa, u64 bytes, u32 flags);
/* Guest physical memory as the test sees it, in one slot. abort() where there is none. */
u8 *fake_memory(struct fake *f, u64 gpa, u64 bytes);

u64 fake_field(struct fake *f, u32 field);
void fake_set_field(struct fake *f, u32 field, u64 value);
void fake_set_msr(struct fake *f, u32 index, u64 value);
void fake_set_cpuid(struct fake *f, u32 leaf, u32 sub, u32 eax, u32 ebx, u32 ecx, u32 edx);

enum fake_mode { FAKE_REAL, FAKE_PROTECTED_16, FAKE_PROTECTED_32, FAKE_LONG_64, FAKE_LONG_32 };
/* Segments, CR0.PE and EFER of a code segment of that mode; paging stays off but in long mode, where the caller sets CR3. */
void fake_set_mode(struct fake *f, enum fake_mode mode);
/* CPL as the VMCS keeps it: SS.DPL. */
void fake_set_cpl(struct fake *f, unsigned int cpl);

/* The run page, for tests. */
static inline struct kvm_run *fake_run(struct fake *f)
{
	return (struct kvm_run *)f->run_page;
}

/* struct kvm_run's unions, flat. */
struct fake_io {
	u8 direction, size;
	u16 port;
	u32 count;
	u64 data_offset;
};

struct fake_mmio {
	u64 phys_addr;
	u64 data;
	u32 len;
	bool is_write;
};

struct fake_failure {
	u32 suberror, ndata;
	u64 flags;
	u8 insn_size;
	u8 insn_bytes[15];
};

struct fake_io fake_run_io(struct fake *f);
struct fake_mmio fake_run_mmio(struct fake *f);
struct fake_failure fake_run_failure(struct fake *f);
/* What user space answers a KVM_EXIT_MMIO load with. */
void fake_answer_mmio(struct fake *f, u64 value);

#endif
