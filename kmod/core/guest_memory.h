/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The guest's memory as the core reads and writes it: by physical and by linear address. */
#ifndef LKX_GUEST_MEMORY_H
#define LKX_GUEST_MEMORY_H

#include "vcpu.h"

/* By guest physical address, across slots and pages: 0, or -EFAULT where no slot, a read-only slot (writes) or no VMM memory is. */
int lkx_gpa_read(struct lkx_vm *vm, u64 gpa, void *to, size_t len);
int lkx_gpa_write(struct lkx_vm *vm, u64 gpa, const void *from, size_t len);
/* Is there a slot at gpa, and for `write` one that may be written? */
bool lkx_gpa_in_slot(struct lkx_vm *vm, u64 gpa, bool write);
/* Compare and exchange of 4 or 8 naturally aligned bytes: 0, -EAGAIN where they were not `old`, -EROFS (read-only slot), -EFAULT. */
int lkx_gpa_cmpxchg(struct lkx_vm *vm, u64 gpa, unsigned int size, u64 old, u64 new_value);

/* What a linear access is, for the page walk's permission check. */
#define ACCESS_READ 0
#define ACCESS_WRITE BIT(0)
#define ACCESS_FETCH BIT(1)
#define ACCESS_USER BIT(2)     /* CPL 3, or an explicit user access */
#define ACCESS_NOCHECK BIT(3)  /* translate only: no permissions, A/D bits stay (KVM_TRANSLATE) */

struct lkx_walk_fault {
	u8 vector; /* #PF, or #GP / #SS for a non-canonical address */
	u32 error;
	u64 address;
};

/*
 * Translates linear address `gla` through the guest's present paging mode (none, 32-bit, PAE, 4-level), checking permissions and
 * setting A/D bits as the processor would. SDM vol. 3, chapter 4. 0 with `*gpa`; otherwise
 *   -EFAULT  with `*fault`, to be raised in the guest;
 *   -ENXIO   a paging structure is not in the VMM's memory: fault->address is its gpa;
 *   -EAGAIN  other processors kept changing the tables under the walk: let the guest try again.
 */
int lkx_walk(struct lkx_vcpu *v, u64 gla, unsigned int access, u64 *gpa, struct lkx_walk_fault *fault);

/*
 * Copy `len` bytes at linear address `gla`. A copy within one page or two neighbours is done whole or not at all but for memory
 * that the VMM takes away meanwhile. 0; -EFAULT and -EAGAIN as lkx_walk; -ENXIO with fault->address = the gpa that no slot holds
 * (MMIO, or for writes a read-only slot).
 */
int lkx_gla_read(struct lkx_vcpu *v, u64 gla, unsigned int access, void *to, size_t len, struct lkx_walk_fault *fault);
int lkx_gla_write(struct lkx_vcpu *v, u64 gla, unsigned int access, const void *from, size_t len, struct lkx_walk_fault *fault);

/* Raises the fault in the guest. */
void lkx_raise_fault(struct lkx_vcpu *v, const struct lkx_walk_fault *fault);

#endif
