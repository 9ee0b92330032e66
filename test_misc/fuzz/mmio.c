// SPDX-License-Identifier: MIT OR GPL-2.0-only
// fuzz: -max_len=19
/* Fuzzes the decoder of loads and stores, alone and from the EPT violation to the guest's register. */
#include "mmio_fuzz.h"

/* Mostly values that addresses of devices and pages' ends come from. */
static u64 pick_register(u64 *seed)
{
	static const u64 some[] = { 0, 1, 0xffd, 0xd0000000, 0xd0000fff, 0x7fff, 0x80000000, 0xffffffff, 0xfffffffffffffffc };
	u64 random = fuzz_scramble(seed);

	return random & 3 ? some[(random >> 2) % ARRAY_SIZE(some)] + ((random >> 32) & 7) : fuzz_scramble(seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const u8 modes[] = { 2, 4, 8, 8 };
	struct input in = { data, data + size };
	struct guest_code g = { .count = 0 };
	u8 first = input_byte(&in), choices = input_byte(&in);
	u64 seed = input_word(&in);
	unsigned int i;

	g.context.mode_bytes = modes[first & 3];
	g.context.gpr = g.gpr;
	for (i = 0; i < 16; i++)
		g.gpr[i] = pick_register(&seed);
	g.context.rip = 0x1000 + (choices & 0x80 ? 0xff0 + (seed & 15) : seed & 0xff);
	for (i = SEG_ES; i <= SEG_GS; i++)
		g.context.segment_base[i] = fuzz_scramble(&seed) & 1 ? 0 : pick_register(&seed);
	if (g.context.mode_bytes != 8)
		for (i = SEG_ES; i <= SEG_GS; i++)
			g.context.segment_base[i] = (u32)g.context.segment_base[i];

	/* As many as the input has, or fewer. */
	while (g.count < 15 && !input_is_empty(&in))
		g.byte[g.count++] = input_byte(&in);
	if (first & 0x80)
		g.count = min_t(unsigned int, g.count, (first >> 2) & 15);
	decode_guest_code(&g);
	g.context.segment_base[SEG_CS] = 0;
	exit_at_guest_code(&g, choices);
	return 0;
}
