// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Linear to physical through the guest's own tables, as the processor does it. SDM vol. 3, 4.3 to 4.8.
#include "guest_memory.h"
#include "paging.h"

/* How often a walk starts again because another processor changed an entry whose A or D bit was to be set. */
#define MAX_ATTEMPTS 16

/* The entries that a walk went through, top level first: each read once. */
struct trail {
	unsigned int count;
	u64 gpa[LKX_PAGING_LEVELS];
	u64 entry[LKX_PAGING_LEVELS];
	unsigned int page_shift; /* log2 of the page that the last one maps */
};

static int page_fault(struct lkx_walk_fault *fault, const struct lkx_paging *p, u64 gla, unsigned int access, u32 error)
{
	if (access & ACCESS_WRITE)
		error |= PF_WRITE;
	if (access & ACCESS_USER)
		error |= PF_USER;
	if ((access & ACCESS_FETCH) && (p->nx || p->smep))
		error |= PF_FETCH;
	*fault = (struct lkx_walk_fault){ .vector = VECTOR_PF, .error = error, .address = gla };
	return -EFAULT;
}

/* Follows the tables to a page: 0, -EFAULT or -ENXIO. */
static int follow(struct lkx_vcpu *v, const struct lkx_paging *p, u64 gla, unsigned int access, struct trail *t,
		  struct lkx_walk_fault *fault)
{
	u64 table = p->root, index_mask = (1u << p->index_bits) - 1;
	unsigned int level;

	t->count = 0;
	if (p->pae && !p->pdpte_present)
		return page_fault(fault, p, gla, access, 0);
	for (level = p->levels; level; level--) {
		unsigned int shift = LKX_PAGE_SHIFT + (level - 1) * p->index_bits;
		u64 gpa = table + ((gla >> shift) & index_mask) * p->entry_bytes, entry = 0;
		bool large;

		if (lkx_gpa_read(v->vm, gpa, &entry, p->entry_bytes)) {
			*fault = (struct lkx_walk_fault){ .address = gpa };
			return -ENXIO;
		}
		if (!(entry & PTE_PRESENT))
			return page_fault(fault, p, gla, access, 0);
		large = (entry & PTE_LARGE) && (p->large_levels & BIT(level));
		if (entry & (large ? p->large_reserved[level] : p->reserved[level]))
			return page_fault(fault, p, gla, access, PF_PRESENT | PF_RESERVED);
		t->gpa[t->count] = gpa;
		t->entry[t->count] = entry;
		t->count++;
		t->page_shift = shift;
		if (large)
			break;
		table = entry & PTE_ADDRESS;
	}
	return 0;
}

/* May the access be made, by the rights of all entries together? SDM vol. 3, 4.6.1. */
static bool permitted(const struct lkx_paging *p, const struct trail *t, unsigned int access)
{
	u64 all = ~0ull, any = 0;
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		all &= t->entry[i];
		any |= t->entry[i];
	}
	if ((access & ACCESS_FETCH) && p->nx && (any & PTE_NX))
		return false;
	if (access & ACCESS_USER)
		return (all & PTE_USER) && (!(access & ACCESS_WRITE) || (all & PTE_WRITE));
	if (all & PTE_USER) {
		if ((access & ACCESS_FETCH) ? p->smep : (p->smap && !p->ac))
			return false;
	}
	return !(access & ACCESS_WRITE) || !p->wp || (all & PTE_WRITE);
}

/* Sets the A bits, and for a write the leaf's D bit, where they are clear. -EAGAIN: an entry is another by now. */
static int mark_used(struct lkx_vm *vm, const struct lkx_paging *p, const struct trail *t, unsigned int access)
{
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		u64 used = t->entry[i] | PTE_ACCESSED;
		int err;

		if (i == t->count - 1 && (access & ACCESS_WRITE))
			used |= PTE_DIRTY;
		if (used == t->entry[i])
			continue;
		err = lkx_gpa_cmpxchg(vm, t->gpa[i], p->entry_bytes, t->entry[i], used);
		/* Tables in a read-only slot (firmware) keep their bits; memory that went away is seen on the next try. */
		if (err && err != -EROFS)
			return -EAGAIN;
	}
	return 0;
}

/* The address in the page that the last entry maps. */
static u64 guest_frame(const struct lkx_paging *p, const struct trail *t, u64 gla)
{
	u64 entry = t->entry[t->count - 1], in_page = (1ull << t->page_shift) - 1;
	u64 frame = entry & PTE_ADDRESS & ~in_page;

	if (p->entry_bytes == 4) {
		frame = (u32)frame;
		if (t->page_shift > LKX_PAGE_SHIFT)
			frame |= ((entry >> 13) & 0xff) << 32;
	}
	return frame | (gla & in_page);
}

int lkx_walk(struct lkx_vcpu *v, u64 gla, unsigned int access, u64 *gpa, struct lkx_walk_fault *fault)
{
	unsigned int attempt;

	/*
	 * Linear addresses of code that is not 64-bit have 32 bits and go on at 0, in compatibility mode too, where user space (no
	 * check) may still ask for any that the tables know. SDM vol. 1, 3.3.7.
	 */
	if (!lkx_long_mode(v) || (!(access & ACCESS_NOCHECK) && !lkx_is_64bit(v)))
		gla = (u32)gla;
	*fault = (struct lkx_walk_fault){ .address = gla };
	if (!lkx_is_canonical(gla)) {
		*fault = (struct lkx_walk_fault){ .vector = VECTOR_GP, .address = gla };
		return -EFAULT;
	}
	for (attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		struct lkx_paging p;
		struct trail t;
		int err;

		lkx_paging_read(v, gla, &p);
		if (!p.levels) {
			*gpa = gla;
			return 0;
		}
		err = follow(v, &p, gla, access, &t, fault);
		if (err)
			return err;
		if (!(access & ACCESS_NOCHECK)) {
			if (!permitted(&p, &t, access))
				return page_fault(fault, &p, gla, access, PF_PRESENT);
			err = mark_used(v->vm, &p, &t, access);
		}
		if (!err) {
			*gpa = guest_frame(&p, &t, gla);
			return 0;
		}
	}
	return -EAGAIN;
}
