// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The loads and stores that drivers use on device memory: the MOV family. Pure: bytes in, description out.
#include "decode_address.h"

/* Does the opcode move between memory and a register, and which way? */
struct mov_form {
	bool write;
	bool sign_extend;
	bool immediate;
	bool offset;         /* address in the instruction, register is the accumulator */
	u8 access_bytes;     /* 0: the operand size */
	u8 operand_bytes;    /* 0: the operand size */
};

static bool one_byte_form(u8 opcode, const struct lkx_prefixes *p, unsigned int mode_bytes, struct mov_form *f)
{
	bool byte_wide = !(opcode & 1);

	*f = (struct mov_form){ 0 };
	switch (opcode) {
	case 0x88: /* MOV r/m, r */
	case 0x89:
		f->write = true;
		break;
	case 0x8a: /* MOV r, r/m */
	case 0x8b:
		break;
	case 0xa0: /* MOV rAX, moffs */
	case 0xa1:
		f->offset = true;
		break;
	case 0xa2: /* MOV moffs, rAX */
	case 0xa3:
		f->offset = true;
		f->write = true;
		break;
	case 0xc6: /* MOV r/m, imm */
	case 0xc7:
		f->write = true;
		f->immediate = true;
		break;
	case 0x63: /* MOVSXD r, r/m; ARPL elsewhere */
		f->sign_extend = true;
		f->access_bytes = p->operand_bytes == 2 ? 2 : 4;
		return mode_bytes == 8;
	default:
		return false;
	}
	if (byte_wide)
		f->access_bytes = f->operand_bytes = 1;
	return true;
}

/* After 0F: MOVZX and MOVSX. */
static bool two_byte_form(u8 opcode, struct mov_form *f)
{
	*f = (struct mov_form){ 0 };
	if (opcode != 0xb6 && opcode != 0xb7 && opcode != 0xbe && opcode != 0xbf)
		return false;
	f->access_bytes = opcode & 1 ? 2 : 1;
	f->sign_extend = opcode & 8;
	return true;
}

/* The register of a byte operand: without REX, 4 to 7 are AH, CH, DH, BH. */
static void name_register(struct lkx_decoded *d, unsigned int reg, unsigned int bytes, bool rex)
{
	d->high_byte = bytes == 1 && !rex && reg >= 4;
	d->reg = d->high_byte ? reg & 3 : reg;
}

/* `bytes` of a value that a store writes. */
static u64 cut_value(u64 value, unsigned int bytes)
{
	return bytes == 8 ? value : value & ((1ull << (8 * bytes)) - 1);
}

/* The immediate of C6 and C7: at most 4 bytes, sign-extended to 8. */
static int read_immediate(struct lkx_insn_bytes *b, struct lkx_decoded *d)
{
	unsigned int size = d->access_bytes == 8 ? 4 : d->access_bytes;
	u64 value;
	int err = lkx_insn_value(b, size, &value);

	d->immediate = true;
	d->value = cut_value(lkx_sign_extend(value, size), d->access_bytes);
	return err;
}

/* Segmentation: in 64-bit mode only FS and GS have a base, elsewhere linear addresses have 32 bits. */
static void make_linear(const struct lkx_decode_context *c, struct lkx_decoded *d)
{
	if (c->mode_bytes != 8)
		d->linear = (u32)(c->segment_base[d->segment] + d->effective);
	else if (d->segment == SEG_FS || d->segment == SEG_GS)
		d->linear = c->segment_base[d->segment] + d->effective;
	else
		d->linear = d->effective;
}

/* The memory operand of `f`, to m, and the register: 0, -E2BIG or -ENOENT. */
static int read_operands(struct lkx_insn_bytes *b, const struct lkx_prefixes *p, const struct lkx_decode_context *c,
			 const struct mov_form *f, struct lkx_memory_operand *m, struct lkx_decoded *d)
{
	int err;

	if (f->offset) {
		*m = (struct lkx_memory_operand){ .reg = RAX, .segment = p->segment >= 0 ? p->segment : SEG_DS };
		err = lkx_insn_value(b, p->address_bytes, &m->offset);
	} else {
		err = lkx_decode_modrm(b, p, c, m);
	}
	if (err)
		return err;
	if (f->immediate)
		return m->reg & 7 ? -ENOENT : read_immediate(b, d);
	name_register(d, m->reg, f->write ? d->access_bytes : d->operand_bytes, p->rex);
	if (f->write)
		d->value = cut_value(c->gpr[d->reg] >> (d->high_byte ? 8 : 0), d->access_bytes);
	return 0;
}

int lkx_decode_mov(const u8 *bytes, unsigned int count, const struct lkx_decode_context *c, struct lkx_decoded *d)
{
	struct lkx_insn_bytes b = { .byte = bytes, .count = count };
	struct lkx_memory_operand m;
	struct lkx_prefixes p;
	struct mov_form f;
	bool known;
	int err = lkx_decode_prefixes(&b, c->mode_bytes, &p);

	if (err)
		return err;
	if (p.lock || p.repeat)
		return -ENOENT;
	if (p.opcode == 0x0f) {
		int second = lkx_insn_next(&b);

		if (second < 0)
			return second;
		known = two_byte_form(second, &f);
	} else {
		known = one_byte_form(p.opcode, &p, c->mode_bytes, &f);
	}
	if (!known)
		return -ENOENT;

	*d = (struct lkx_decoded){
		.write = f.write,
		.sign_extend = f.sign_extend,
		.access_bytes = f.access_bytes ? f.access_bytes : p.operand_bytes,
		.operand_bytes = f.operand_bytes ? f.operand_bytes : p.operand_bytes,
	};
	err = read_operands(&b, &p, c, &f, &m, d);
	if (err)
		return err;
	d->length = b.at;
	d->segment = m.segment;
	d->effective = lkx_cut_address(m.offset + (m.rip_relative ? c->rip + d->length : 0), p.address_bytes);
	make_linear(c, d);
	return 0;
}
