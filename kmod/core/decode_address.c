// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "decode_address.h"

/* A displacement of `size` bytes, sign-extended, added to m->offset. */
static int add_displacement(struct lkx_insn_bytes *b, unsigned int size, struct lkx_memory_operand *m)
{
	u64 value;
	int err = lkx_insn_value(b, size, &value);

	if (!err)
		m->offset += lkx_sign_extend(value, size);
	return err;
}

/* What goes by SS unless a prefix says otherwise: addresses based on rSP or rBP. */
static void take_base(const struct lkx_decode_context *c, struct lkx_memory_operand *m, unsigned int base)
{
	m->offset += c->gpr[base];
	if (base == RSP || base == RBP)
		m->segment = SEG_SS;
}

static int address_16(struct lkx_insn_bytes *b, const struct lkx_decode_context *c, unsigned int mod, unsigned int rm,
		      struct lkx_memory_operand *m)
{
	/* 16: none */
	static const u8 base[8] = { RBX, RBX, RBP, RBP, 16, 16, RBP, RBX };
	static const u8 index[8] = { RSI, RDI, RSI, RDI, RSI, RDI, 16, 16 };

	if (mod == 0 && rm == 6)
		return add_displacement(b, 2, m);
	if (base[rm] != 16)
		take_base(c, m, base[rm]);
	if (index[rm] != 16)
		m->offset += c->gpr[index[rm]];
	return mod ? add_displacement(b, mod, m) : 0;
}

static int sib(struct lkx_insn_bytes *b, const struct lkx_prefixes *p, const struct lkx_decode_context *c, unsigned int mod,
	       struct lkx_memory_operand *m)
{
	unsigned int base, index;
	int byte = lkx_insn_next(b);

	if (byte < 0)
		return byte;
	base = byte & 7;
	index = ((byte >> 3) & 7) | (p->rex_bits & REX_X ? 8 : 0);
	if (index != RSP)
		m->offset += c->gpr[index] << (byte >> 6);
	if (base == RBP && mod == 0) /* whatever REX.B says */
		return add_displacement(b, 4, m);
	take_base(c, m, base | (p->rex_bits & REX_B ? 8 : 0));
	return 0;
}

static int address_32_64(struct lkx_insn_bytes *b, const struct lkx_prefixes *p, const struct lkx_decode_context *c,
			 unsigned int mod, unsigned int rm, struct lkx_memory_operand *m)
{
	int err = 0;

	if (rm == RSP) {
		err = sib(b, p, c, mod, m);
	} else if (rm == RBP && mod == 0) {
		m->rip_relative = c->mode_bytes == 8;
		return add_displacement(b, 4, m);
	} else {
		take_base(c, m, rm | (p->rex_bits & REX_B ? 8 : 0));
	}
	if (err || !mod)
		return err;
	return add_displacement(b, mod == 1 ? 1 : 4, m);
}

int lkx_decode_modrm(struct lkx_insn_bytes *b, const struct lkx_prefixes *p, const struct lkx_decode_context *c,
		     struct lkx_memory_operand *m)
{
	unsigned int mod, rm;
	int byte = lkx_insn_next(b), err;

	if (byte < 0)
		return byte;
	mod = byte >> 6;
	rm = byte & 7;
	if (mod == 3)
		return -ENOENT;
	*m = (struct lkx_memory_operand){
		.reg = ((byte >> 3) & 7) | (p->rex_bits & REX_R ? 8 : 0),
		.segment = SEG_DS,
	};
	if (p->address_bytes == 2)
		err = address_16(b, c, mod, rm, m);
	else
		err = address_32_64(b, p, c, mod, rm, m);
	if (p->segment >= 0)
		m->segment = p->segment;
	return err;
}
