// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Translation as SDM vol. 3, chapter 28 has it, and caching as widely as it allows: every translation used stays until INVEPT, or until an
 * EPT violation on its own address; so do pointers to tables.
 */
#include "exits.h"
#include "pml.h"
#include "world_internal.h"
#include <stdio.h>
#include <stdlib.h>

#define TRIES 5
#define NO_ROOM (~0ull) /* in place of an entry */

static u64 load(struct world *w, u64 *entry, int level)
{
	u64 e = plat_load64(entry);
	/* Bits that are reserved, or that would be another thing than write-back: an EPT misconfiguration. */
	bool leaf = level == 1 || (level <= w->caps.ept_level && (e & EPT_LARGE));
	u64 wrong = !leaf ? 0xf8 : level == 1 ? 0x80 : ((1ull << (12 + 9 * (level - 1))) - 1) & EPT_ADDRESS;

	if (!(e & 7))
		return e;
	if ((e & wrong) || (e & 3) == 2 || !(e & 1) || (leaf && (e & 0x38) != 0x30)) {
		fprintf(stderr, "EPT misconfiguration: entry %#llx at level %d\n", e, level);
		abort();
	}
	if (w->vm.ept.eptp & EPTP_ACCESS_DIRTY)
		__atomic_fetch_or(entry, EPT_ACCESSED, __ATOMIC_SEQ_CST);
	return e;
}

/*
 * SDM vol. 3, 28.3.6: where there is no room in the page-modification log, nothing is set, and NO_ROOM. (A processor may exit for an accessed flag, too; that
 * of VMXSim does.)
 */
static u64 set_dirty(struct world *w, u64 *entry, u64 gfn)
{
	u16 *index = &w->pml_index[w->current_vcpu];
	u64 *log = plat_virt(&w->hw, w->pml_address[w->current_vcpu]);

	if (w->caps.pml && *index >= 512 && !(plat_load64(entry) & EPT_DIRTY))
		return NO_ROOM;
	if (!(__atomic_fetch_or(entry, EPT_DIRTY, __ATOMIC_SEQ_CST) & EPT_DIRTY) && w->caps.pml && *index < 512)
		log[(*index)--] = gfn * 4096;
	return plat_load64(entry);
}

/* A leaf's own entry, used. The page's as if it were mapped by itself. */
static u64 use_leaf(struct world *w, u64 *entry, int level, u64 gfn, bool write)
{
	u64 e = load(w, entry, level), pages = 1ull << (9 * (level - 1));

	if (write && (e & EPT_WRITE) && (w->vm.ept.eptp & EPTP_ACCESS_DIRTY))
		e = set_dirty(w, entry, gfn);
	return e == NO_ROOM ? e : e & 7 ? (e & ~EPT_LARGE) + gfn % pages * 4096 : 0;
}

/* The leaf for gfn, with what is cached of the way; 0: not present. */
static u64 walk(struct world *w, struct world_cpu *cpu, u64 gfn, bool write)
{
	u64 *table = cpu->table[gfn / 512];
	int level;

	if (!table) {
		table = plat_virt(&w->hw, w->vm.ept.eptp & EPT_ADDRESS);
		for (level = 4; level > 1; level--) {
			u64 *entry = &table[(gfn >> (9 * (level - 1))) % 512], e = load(w, entry, level);

			if (!(e & 7))
				return 0;
			if (e & EPT_LARGE)
				return use_leaf(w, entry, level, gfn, write);
			table = plat_virt(&w->hw, e & EPT_ADDRESS);
		}
		cpu->table[gfn / 512] = table;
	}
	return use_leaf(w, &table[gfn % 512], 1, gfn, write);
}

/* One attempt: 0 with *pfn, or the exit's reason, of an EPT violation with its qualification. */
static u32 translate(struct world *w, struct world_cpu *cpu, u64 gfn, bool write, u64 *pfn, u64 *qualification)
{
	u64 e = cpu->entry[gfn];

	if (!e || (write && !(e & EPT_WRITE)) || (write && !(e & EPT_DIRTY) && (w->vm.ept.eptp & EPTP_ACCESS_DIRTY)))
		e = walk(w, cpu, gfn, write);
	if (e == NO_ROOM)
		return EXIT_PML_FULL;
	if (!e || (write && !(e & EPT_WRITE))) {
		cpu->entry[gfn] = 0;
		cpu->table[gfn / 512] = NULL;
		*qualification = (write ? EPT_VIOLATION_WRITE : EPT_VIOLATION_READ) | (e & 7) << EPT_VIOLATION_RWX_SHIFT;
		return EXIT_EPT_VIOLATION;
	}
	cpu->entry[gfn] = e;
	*pfn = (e & EPT_ADDRESS) / 4096;
	return 0;
}

void world_leave(struct world *w, u32 index)
{
	u32 current = w->current_vcpu;

	if (w->vcpu[index].mode == LKX_IN_GUEST) {
		world_cpu_event(w, HISTORY_LEFT, w->on[index]);
		w->current_vcpu = index;
		if (w->vcpu[index].pml)
			lkx_pml_note(&w->vcpu[index]);
		w->current_vcpu = current;
	}
	w->vcpu[index].mode = LKX_OUTSIDE_GUEST;
}

int world_access(struct world *w, u32 index, u64 gfn, bool write, u64 *pfn, u32 *faults)
{
	struct lkx_vcpu *v = &w->vcpu[index];
	struct lkx_memslot slot;
	u32 reason, tries;
	u64 q = 0;
	int err;

	if (gfn >= WORLD_GFNS)
		abort();
	*faults = 0;
	for (tries = 0; tries < TRIES; tries++) {
		w->current_cpu = w->on[index];
		w->current_vcpu = index;
		if (v->mode != LKX_IN_GUEST) {
			plat_store32(&v->mode, LKX_IN_GUEST);
			plat_mb();
			lkx_tlb_sync(v);
			world_cpu_event(w, HISTORY_ENTERED, w->on[index]);
		}
		reason = translate(w, &w->cpu[w->on[index]], gfn, write, pfn, &q);
		if (!reason)
			return 0;
		world_leave(w, index);
		if (reason == EXIT_PML_FULL) {
			w->full_logs++;
			v->exit.qualification = 0;
			lkx_exit_pml_full(v);
			continue;
		}
		if (!lkx_memslot_find(&w->vm, gfn, &slot))
			return 1;
		err = lkx_tdp_map(v, gfn * 4096, q, &slot);
		if (err && err != -EAGAIN)
			return err;
		(*faults)++;
	}
	return -EAGAIN;
}

/* May a guest still reach what `e` says, as the host sees it? */
static bool is_stale(struct world *w, u64 e)
{
	u64 pfn = (e & EPT_ADDRESS) / 4096;
	u32 i;

	if (w->free[pfn])
		return true;
	for (i = 0; i < WORLD_PAGES && (e & EPT_WRITE); i++) {
		if ((w->page[i].state == WORLD_COW || w->page[i].state == WORLD_PROTECTED) && w->page[i].pfn == pfn)
			return true;
	}
	return false;
}

void world_check_stale(struct world *w)
{
	u32 i, gfn;

	for (i = 0; i < WORLD_VCPUS; i++) {
		if (w->vcpu[i].mode != LKX_IN_GUEST)
			continue;
		for (gfn = 0; gfn < WORLD_GFNS; gfn++) {
			u64 e = w->cpu[w->on[i]].entry[gfn];

			if (e && is_stale(w, e))
				w->stale++;
		}
	}
}

static u64 vmread(struct lkx_hw *hw, u32 field)
{
	struct world *w = world_of(hw);

	if (field != VMCS_PML_INDEX)
		abort();
	return w->pml_index[w->current_vcpu];
}

static void vmwrite(struct lkx_hw *hw, u32 field, u64 value)
{
	struct world *w = world_of(hw);

	if (field == VMCS_PML_INDEX)
		w->pml_index[w->current_vcpu] = value;
	else if (field == VMCS_PML_ADDRESS)
		w->pml_address[w->current_vcpu] = value;
	else
		abort();
}

static void invept(struct lkx_hw *hw, u64 type, u64 eptp)
{
	struct world *w = world_of(hw);

	w->invepts++;
	if (type == INVEPT_GLOBAL)
		w->invept_global++;
	else if (type != INVEPT_SINGLE || eptp != w->vm.ept.eptp)
		abort();
	if (w->ignore_invept)
		return;
	world_cpu_event(w, HISTORY_INVEPT, w->current_cpu);
	memset(&w->cpu[w->current_cpu], 0, sizeof(w->cpu[0]));
}

/* Clears combined mappings too, but what INVEPT is needed for must not be hidden by it: here it clears nothing. */
static void invvpid(struct lkx_hw *hw, u64 type, u16 vpid, u64 gla)
{
	if (type != INVVPID_SINGLE || !vpid || gla)
		abort();
	world_of(hw)->invvpids++;
}

static void cpuid(struct lkx_hw *hw, u32 leaf, u32 sub, u32 out[4])
{
	(void)hw;
	(void)sub;
	memset(out, 0, 4 * sizeof(u32));
	if (leaf == 0x80000000)
		out[0] = 0x80000008;
	else if (leaf == 0x80000008)
		out[0] = 0x3028; /* 40 bits of physical addresses, 48 of linear ones */
}

const struct hw_ops world_processor = {
	.vmread = vmread,
	.vmwrite = vmwrite,
	.invept = invept,
	.invvpid = invvpid,
	.cpuid = cpuid,
};
