/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The guest's paging modes as data, for the one walker (walk.c). SDM vol. 3, 4.1.1 and tables 4-4 to 4-19. */
#ifndef LKX_PAGING_H
#define LKX_PAGING_H

#include "vcpu.h"

#define PTE_PRESENT BIT_ULL(0)
#define PTE_WRITE BIT_ULL(1)
#define PTE_USER BIT_ULL(2)
#define PTE_ACCESSED BIT_ULL(5)
#define PTE_DIRTY BIT_ULL(6)
#define PTE_LARGE BIT_ULL(7)
#define PTE_NX BIT_ULL(63)
#define PTE_ADDRESS 0x000ffffffffff000ull

#define LKX_PAGING_LEVELS 4

/* Everything of the vCPU's state that a walk depends on, read once. */
struct lkx_paging {
	u8 levels;          /* tables to read; 0: paging is off */
	u8 entry_bytes;     /* 4 or 8 */
	u8 index_bits;      /* of the linear address a level: 10 or 9 */
	u64 root;           /* gpa of the first table */
	bool pae;           /* `root` came of a PDPTE register: */
	bool pdpte_present;
	u64 reserved[LKX_PAGING_LEVELS + 1];       /* bits that must be 0 in an entry of level 1 to 4 */
	u64 large_reserved[LKX_PAGING_LEVELS + 1]; /* the same, of an entry that maps a large page; level 2 and 3 */
	u8 large_levels;    /* bit n: bit 7 of an entry of level n makes it map a page */
	bool wp, smep, smap, nx, ac;
};

/* As the vCPU's control registers have it now; `gla` chooses among PAE's four page-directory pointers. */
void lkx_paging_read(struct lkx_vcpu *v, u64 gla, struct lkx_paging *p);

#endif
