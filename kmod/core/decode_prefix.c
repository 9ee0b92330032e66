// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "decode_prefix.h"

int lkx_insn_next(struct lkx_insn_bytes *b)
{
	if (b->at >= LKX_INSN_MAX)
		return -ENOENT;
	if (b->at >= b->count)
		return -E2BIG;
	return b->byte[b->at++];
}

int lkx_insn_value(struct lkx_insn_bytes *b, unsigned int size, u64 *value)
{
	unsigned int i;

	*value = 0;
	for (i = 0; i < size; i++) {
		int byte = lkx_insn_next(b);

		if (byte < 0)
			return byte;
		*value |= (u64)byte << (8 * i);
	}
	return 0;
}

/* Takes `byte` as a legacy prefix; false where it is none. */
static bool legacy_prefix(struct lkx_prefixes *p, unsigned int byte, unsigned int mode_bytes, bool *operand, bool *address)
{
	int segment = -1;

	switch (byte) {
	case 0x66:
		*operand = true;
		return true;
	case 0x67:
		*address = true;
		return true;
	case 0xf0:
		p->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		p->repeat = true;
		return true;
	case 0x26:
		segment = SEG_ES;
		break;
	case 0x2e:
		segment = SEG_CS;
		break;
	case 0x36:
		segment = SEG_SS;
		break;
	case 0x3e:
		segment = SEG_DS;
		break;
	case 0x64:
		segment = SEG_FS;
		break;
	case 0x65:
		segment = SEG_GS;
		break;
	default:
		return false;
	}
	/* The last one counts; 64-bit mode looks at FS and GS only. */
	if (mode_bytes != 8 || segment == SEG_FS || segment == SEG_GS)
		p->segment = segment;
	return true;
}

int lkx_decode_prefixes(struct lkx_insn_bytes *b, unsigned int mode_bytes, struct lkx_prefixes *p)
{
	bool operand = false, address = false;
	int byte;

	*p = (struct lkx_prefixes){ .segment = -1 };
	for (;;) {
		byte = lkx_insn_next(b);
		if (byte < 0)
			return byte;
		if (legacy_prefix(p, byte, mode_bytes, &operand, &address)) {
			p->rex = false; /* a REX prefix counts only right before the opcode */
		} else if (mode_bytes == 8 && (byte & 0xf0) == 0x40) {
			p->rex = true;
			p->rex_bits = byte & 0xf;
		} else {
			break;
		}
	}
	p->opcode = byte;
	if (!p->rex)
		p->rex_bits = 0;

	if (p->rex_bits & REX_W)
		p->operand_bytes = 8;
	else
		p->operand_bytes = (mode_bytes == 2) != operand ? 2 : 4;
	if (mode_bytes == 8)
		p->address_bytes = address ? 4 : 8;
	else
		p->address_bytes = (mode_bytes == 2) != address ? 2 : 4;
	return 0;
}
