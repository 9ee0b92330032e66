/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Memory operands: ModRM, SIB and displacement. SDM vol. 2, tables 2-1 to 2-3. */
#ifndef LKX_DECODE_ADDRESS_H
#define LKX_DECODE_ADDRESS_H

#include "decode_prefix.h"
#include "mmio.h"

struct lkx_memory_operand {
	u8 reg;       /* the ModRM reg field, with REX.R: a register, or part of the opcode */
	u8 segment;
	bool rip_relative;
	u64 offset;   /* effective address, not yet cut to the address size; without RIP where rip_relative */
};

/* Reads ModRM and what follows of it: 0, -E2BIG, or -ENOENT for a register operand. */
int lkx_decode_modrm(struct lkx_insn_bytes *b, const struct lkx_prefixes *p, const struct lkx_decode_context *c,
		     struct lkx_memory_operand *m);

/* Cuts an effective address to the address size. */
static inline u64 lkx_cut_address(u64 address, unsigned int address_bytes)
{
	return address_bytes == 8 ? address : address & ((1ull << (8 * address_bytes)) - 1);
}

/* Sign-extends the low `size` bytes. */
static inline u64 lkx_sign_extend(u64 value, unsigned int size)
{
	unsigned int unused = 64 - 8 * size;

	return (u64)((s64)(value << unused) >> unused);
}

#endif
