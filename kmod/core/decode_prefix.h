/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The prefixes of an instruction. SDM vol. 2, "Instruction Prefixes" and "REX Prefixes". */
#ifndef LKX_DECODE_PREFIX_H
#define LKX_DECODE_PREFIX_H

#include "x86.h"

#define LKX_INSN_MAX 15

/* Instruction bytes, read in order and never past their end. */
struct lkx_insn_bytes {
	const u8 *byte;
	unsigned int count;
	unsigned int at; /* of the next one */
};

/* The next byte; -E2BIG where the bytes end first, -ENOENT past the 15 that an instruction may have. */
int lkx_insn_next(struct lkx_insn_bytes *b);
/* The next `size` (1, 2, 4 or 8) bytes, little-endian and zero-extended, to `*value`: 0 or as above. */
int lkx_insn_value(struct lkx_insn_bytes *b, unsigned int size, u64 *value);

struct lkx_prefixes {
	u8 operand_bytes; /* 2, 4 or 8 */
	u8 address_bytes;
	s8 segment;       /* enum lkx_seg of an override that counts, or -1 */
	bool rex;
	u8 rex_bits;      /* W R X B, bits 3 to 0 */
	bool lock, repeat;
	u8 opcode;        /* the first byte after them */
};

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

/* Reads prefixes and the first opcode byte of code whose mode's address size is `mode_bytes`: 0, -E2BIG or -ENOENT. */
int lkx_decode_prefixes(struct lkx_insn_bytes *b, unsigned int mode_bytes, struct lkx_prefixes *p);

#endif
