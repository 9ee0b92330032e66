// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What must hold of lkx_decode_mov() for any bytes. The input: the mode (2 bits) and how many bytes there are; a seed of registers; the bytes.
 */
#include "mmio_fuzz.h"

#include <string.h>

static int decode(const struct guest_code *g, const u8 *bytes, unsigned int count, struct lkx_decoded *d)
{
	/* They end where the array does: the address sanitizer sees a look at the byte behind them. */
	static u8 array[16];
	u8 *exact = array + sizeof(array) - count;
	int result;

	memcpy(exact, bytes, count);
	memset(d, 0xa5, sizeof(*d));
	result = lkx_decode_mov(exact, count, &g->context, d);
	CHECK(result == 0 || result == -ENOENT || result == -E2BIG);
	return result;
}

static bool same(const struct lkx_decoded *a, const struct lkx_decoded *b)
{
	return a->length == b->length && a->write == b->write && a->access_bytes == b->access_bytes &&
	       a->operand_bytes == b->operand_bytes && a->reg == b->reg && a->high_byte == b->high_byte &&
	       a->immediate == b->immediate && a->sign_extend == b->sign_extend && a->value == b->value &&
	       a->segment == b->segment && a->effective == b->effective && a->linear == b->linear;
}

static bool is_size(unsigned int bytes)
{
	return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

static u64 low(u64 value, unsigned int bytes)
{
	return bytes == 8 ? value : value & ((1ull << (8 * bytes)) - 1);
}

/* Bounds that the core relies on, and what one field says of another. */
static void check_description(const struct guest_code *g, const struct lkx_decoded *d)
{
	unsigned int mode = g->context.mode_bytes;
	bool has_base = mode != 8 || d->segment == SEG_FS || d->segment == SEG_GS;
	u64 linear = d->effective + (has_base ? g->context.segment_base[d->segment] : 0);

	CHECK(d->length >= 2 && d->length <= 15 && d->length <= g->count);
	CHECK(is_size(d->access_bytes) && is_size(d->operand_bytes) && d->access_bytes <= d->operand_bytes);
	CHECK(mode == 8 || d->operand_bytes <= 4);
	CHECK(d->segment <= SEG_GS);
	CHECK(d->reg < (mode == 8 ? 16 : 8) && (!d->high_byte || d->reg < 4));
	CHECK(!d->immediate || d->write);
	CHECK(!d->sign_extend || !d->write);
	CHECK(mode == 8 || d->effective <= 0xffffffff);
	CHECK(d->linear == (mode == 8 ? linear : (u32)linear));
	if (!d->write)
		CHECK(d->value == 0);
	else if (!d->immediate)
		CHECK(d->value == low(g->context.gpr[d->reg] >> (d->high_byte ? 8 : 0), d->access_bytes));
	else
		CHECK(d->value == low(d->value, d->access_bytes));
}

void decode_guest_code(const struct guest_code *g)
{
	struct lkx_decoded d, again;
	int result = decode(g, g->byte, g->count, &d);
	u8 other[15];
	unsigned int i;

	if (result == 0) {
		check_description(g, &d);
		/* Bytes behind the instruction are not looked at. */
		memcpy(other, g->byte, sizeof(other));
		for (i = d.length; i < g->count; i++)
			other[i] ^= 0xff;
		CHECK(decode(g, other, g->count, &again) == 0 && same(&d, &again));
		CHECK(decode(g, g->byte, d.length, &again) == 0 && same(&d, &again));
		CHECK(decode(g, g->byte, d.length - 1, &again) == -E2BIG);
		CHECK(decode(g, g->byte, 1, &again) == -E2BIG);
	} else if (result == -E2BIG) {
		CHECK(g->count < 15);
		CHECK(!g->count || decode(g, g->byte, g->count - 1, &again) == -E2BIG);
	} else {
		/* More bytes change nothing, and less never make it an instruction. */
		memcpy(other, g->byte, sizeof(other));
		for (i = g->count; i < sizeof(other); i++)
			other[i] = (u8)(0x3b + 41 * i);
		CHECK(decode(g, other, sizeof(other), &again) == -ENOENT);
		CHECK(decode(g, g->byte, g->count - 1, &again) != 0);
	}
}
