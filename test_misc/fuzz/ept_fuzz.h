/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The guest's memory, the core's way (machine) and as a plain table (model). Of the guest's frames those count that names 0 to NAMES - 1 stand
 * for: they lie where tables of each level begin and end.
 */
#ifndef EPT_FUZZ_H
#define EPT_FUZZ_H

#include "fuzz.h"
#include "vcpu.h"

#define NAMES 40
#define SLOTS 6
#define PAGES 24 /* of the VMM, from HVA on */
#define AREAS 2  /* of the VMM, each of LARGE pages, from page AREAS_FROM on: one large page or many small ones, but all alike */
#define AREAS_FROM 1024
#define LARGE 512
#define HVA 0x100000000000ull
#define VCPUS 2

enum page_state { PAGE_PRESENT, PAGE_COW, PAGE_PROTECTED, PAGE_GONE };

struct host_page {
	enum page_state state;
	u64 pfn;
};

struct machine {
	struct lkx_hw hw; /* first: machine_of */
	struct lkx_vm vm;
	struct lkx_vmx_caps caps;
	struct lkx_vcpu vcpu[VCPUS];
	u64 cached[VCPUS][NAMES]; /* entries that each one's processor keeps; 0: none */
	u32 current;
	struct host_page page[PAGES];
	struct host_area {
		struct host_page first; /* the frames of the others follow */
		bool large;
	} area[AREAS];
	u64 frames, sequence, in_progress, references;
	bool race;                /* the host replaces the page that is asked for next */
};

struct model {
	struct model_entry {
		bool present, large; /* with all around it that is in the same LARGE frames */
		u64 pfn, access;
	} entry[NAMES];
	struct model_slot {
		u64 gfn, npages, hva;
		u32 flags;
		u32 dirty; /* of its first pages, which are all that the VMM has: in the log */
	} slot[SLOTS]; /* npages 0: none */
};

extern struct machine m;   /* ept_machine.c */
extern struct model model; /* ept_model.c */

u64 gfn_of(unsigned int name);

void machine_start(bool access_dirty, bool invept_single, u8 ept_level);
void machine_end(void);
/* The VMM's pages become so, by way of an invalidation as the host does it. */
void machine_host_set(unsigned int first, unsigned int count, enum page_state state);
void machine_host_set_area(unsigned int area, enum page_state state, bool large);
/* A page of the VMM's, counted from HVA: false where it has none. *large: as a part of a large one. */
bool machine_page(u64 index, struct host_page *page, bool *large);
/* A guest's access, with all the faults it takes: 0 and *pfn, 1 for MMIO, or -errno. */
int machine_access(unsigned int vcpu, unsigned int name, bool write, u64 *pfn);
/* The entry for a name as the processor reads it, unused bits gone. 0: not present. */
u64 machine_walk(unsigned int name);

/* The slot that holds a frame, or NULL. */
struct model_slot *model_slot_of(u64 gfn);
/* [start, end) of the VMM's addresses, or frames, have lost their mappings. */
void model_drop_hva(u64 start, u64 end);
void model_drop(u64 gfn, u64 npages);
void model_map(unsigned int name, u64 pfn, u64 access);
/* What machine_access must have said, and what it leaves. */
void model_access(unsigned int name, bool write, int result, u64 pfn, bool may_lack_memory);
/* The log of the slot was taken, and had these. */
void model_take_log(struct model_slot *slot, u64 dirty);
/* KVM_SET_USER_MEMORY_REGION must have said `result`. */
void model_set_slot(const struct kvm_userspace_memory_region *r, int result, bool may_lack_memory);
/* The two agree, no processor that is in the guest has cached what is no more. The core's own lookup is asked for one. */
void compare_with_model(unsigned int looked_up);
/* As many tables are in the tree as the core counts. Slow. */
void compare_tables(void);

#endif
