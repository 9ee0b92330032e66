/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A host that takes its pages back, and processors that cache translations: what guest memory must be right against. Frames
 * of the host have numbers, never used twice, and no contents: an access tells which frame it reached. Single-threaded; races are
 * played at the points where they can happen.
 */
#ifndef WORLD_H
#define WORLD_H

#include "history.h"
#include "vcpu.h"

#define WORLD_HVA 0x7f0000000000ull /* of the VMM's page 0 */
#define WORLD_PAGES 2048            /* of the VMM */
#define WORLD_GFNS 8192             /* of the guest that accesses may name */
#define WORLD_FRAMES (1u << 18)
#define WORLD_VCPUS 2
#define WORLD_CPUS 2

enum world_page_state {
	WORLD_LAZY,      /* gets a frame when touched */
	WORLD_PRESENT,
	WORLD_COW,       /* present, shared: a write gets a frame of its own */
	WORLD_PROTECTED, /* present, never writable */
	WORLD_GONE,      /* unmapped */
};

struct world_page {
	enum world_page_state state;
	u64 pfn;    /* present ones */
	bool large; /* one entry of the VMM's page tables maps it and all of its 2 MiB */
};

#define WORLD_LARGE 512 /* pages of a large one */

/* What happens right after the core has taken a reference to a page, or looked at some, before it maps. */
enum world_race {
	WORLD_RACE_NONE,
	WORLD_RACE_REPLACED, /* the host has put another frame there */
	WORLD_RACE_BEGUN,    /* the host has begun to take it away, and is not done */
	WORLD_RACE_SLOT,     /* `race_region` is set */
};

struct world_cpu {
	u64 entry[WORLD_GFNS];        /* combined mappings, 0: none */
	u64 *table[WORLD_GFNS / 512]; /* cached level-1 tables, NULL: none */
};

struct world {
	struct lkx_hw hw; /* first: world_of */
	struct lkx_vm vm;
	struct lkx_vmx_caps caps;
	struct lkx_vcpu vcpu[WORLD_VCPUS];
	u32 on[WORLD_VCPUS]; /* the CPU of each */
	struct world_cpu *cpu; /* WORLD_CPUS of them */
	u32 current_cpu;
	u32 current_vcpu;    /* whose VMCS is current; of which there is this much: */
	u64 pml_address[WORLD_VCPUS];
	u16 pml_index[WORLD_VCPUS];

	struct world_page *page; /* WORLD_PAGES of them */
	bool *free;              /* WORLD_FRAMES of them: taken back */
	u64 frames;
	u64 sequence, in_progress, start, end;
	int large_level;         /* of what maps a large page: 2, or 3 as if it were part of 1 GiB */
	u64 references;          /* of plat_page_get, not put yet */

	enum world_race race;
	struct kvm_userspace_memory_region race_region;
	bool near;               /* the VMM's page tables can be looked at: else nothing is ever near */
	enum world_race near_race; /* what happens right after they were, to near_race_page */
	u64 near_race_page;
	bool signal;             /* one waits for the VMM */
	u64 replace_at_kick;     /* VMM page + 1: the host replaces it as the next kick begins */

	struct history history;  /* after world_record */
	/* Bits that a processor sets in each present entry just before the core writes it. */
	u64 touch;
	/* Called when ept.lock was given up, with how often it was before; not for what it does itself. */
	void (*at_unlock)(void *context, u32 nth);
	void *at_unlock_context;
	u32 unlocks;

	/* Faults of the core to be shown to be noticed. */
	bool ignore_retry, ignore_kicks, ignore_invept;

	u32 warnings, invepts, invept_global, invvpids, kicks, dirtied, full_logs;
	u32 stale;               /* times that a running guest still reached what the host had taken back */
};

static inline struct world *world_of(struct lkx_hw *hw)
{
	return (struct world *)hw;
}

/* abort() where memory runs out. `recorded`: its history is kept from the first page on. */
struct world *world_create(bool access_dirty, bool invept_single, bool recorded);
/* Right after: the processor has page-modification logging, and the core uses it. Not of a world without accessed and dirty bits. */
void world_log_modified(struct world *w);
/* Frees all; how many pages and objects the core left behind. */
u64 world_destroy(struct world *w);

/* KVM_SET_USER_MEMORY_REGION. */
int world_set_region(struct world *w, u32 slot, u32 flags, u64 gpa, u64 bytes, u64 hva);

/* The host makes `count` pages from `first` on so, giving up the frames they had. Where that is WORLD_COW, frames stay. */
void world_host_set(struct world *w, u64 first, u64 count, enum world_page_state state);
/* 2 MiB, whose first page is `first`, become one large page, `state` as a whole: with frames of its own, one behind the other. */
void world_host_collapse(struct world *w, u64 first, enum world_page_state state);
/* world_host_set's two halves, for what lies between. */
void world_invalidate_begin(struct world *w, u64 first, u64 count);
void world_invalidate_end(struct world *w);

/*
 * vCPU `index` reads or writes guest frame `gfn`, as often as that exits for a page fault. 0 and `*pfn`; 1: MMIO; -errno of lkx_tdp_map,
 * -EAGAIN after five tries in a row. *faults: exits it took.
 */
int world_access(struct world *w, u32 index, u64 gfn, bool write, u64 *pfn, u32 *faults);
/* The vCPU goes on, on another CPU. */
void world_move(struct world *w, u32 index, u32 cpu);

/* As vm->ept's functions, with the lock. world_zap flushes, and says whether it had to. */
bool world_map(struct world *w, u64 gfn, u64 pfn, u64 access);
bool world_map_large(struct world *w, u64 gfn, u64 pfn, int level, u64 access);
bool world_zap(struct world *w, u64 gfn, u64 npages, bool keep_tables);
u64 world_lookup(struct world *w, u64 gfn, int *level);

#endif
