/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Loads and stores to addresses without a slot: decoded here, answered by user space. */
#ifndef LKX_MMIO_H
#define LKX_MMIO_H

#include "vcpu.h"

/* The mode an instruction is decoded in, and the registers its addressing form names. */
struct lkx_decode_context {
	u8 mode_bytes;     /* 2, 4 or 8: default address size of the code segment's mode */
	const u64 *gpr;    /* 16 registers */
	u64 rip;           /* of the instruction */
	u64 segment_base[6];
};

/* A decoded load or store. SDM vol. 2, "MOV", "MOVZX", "MOVSX/MOVSXD". */
struct lkx_decoded {
	u8 length;          /* of the instruction, 1 to 15 */
	bool write;
	u8 access_bytes;    /* of memory: 1, 2, 4, 8 */
	u8 operand_bytes;   /* of the register a load goes to */
	u8 reg;             /* load's destination or store's source */
	bool high_byte;
	bool immediate;     /* a store of `value`, not of a register */
	bool sign_extend;
	u64 value;          /* what a store writes */
	u8 segment;         /* enum lkx_seg the effective address is relative to */
	u64 effective;      /* effective address (offset in the segment) */
	u64 linear;         /* linear address */
};

/* Pure: `bytes` are the instruction. 0, or -ENOENT for an instruction that is not decoded here, -E2BIG where `count` bytes do not hold it. */
int lkx_decode_mov(const u8 *bytes, unsigned int count, const struct lkx_decode_context *c, struct lkx_decoded *d);

/*
 * EPT violation at `gpa` without a slot (or a write to a read-only one): decodes the instruction at RIP and fills the run page with
 * KVM_EXIT_MMIO. 0: return to user space; 1: resume the guest (a fault was raised in it).
 */
int lkx_mmio_exit(struct lkx_vcpu *v, u64 gpa, u64 qualification);

/* User space answered KVM_EXIT_MMIO: the next fragment (0: return to user space again), or done (1). */
int lkx_mmio_complete(struct lkx_vcpu *v);

/* KVM_EXIT_INTERNAL_ERROR, suberror KVM_INTERNAL_ERROR_EMULATION, with the bytes at RIP where they can be read. Returns 0. */
int lkx_emulation_exit(struct lkx_vcpu *v);
/* The same for the guest's kernel; for its programs #UD (1), unless KVM_CAP_EXIT_ON_EMULATION_FAILURE is enabled. */
int lkx_emulation_failed(struct lkx_vcpu *v);

#endif
