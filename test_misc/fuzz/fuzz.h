/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the fuzzers written in C share: their input as a stream, and checks that end the process, which is a finding. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "plat_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                             \
	do {                                                                                         \
		if (!(condition)) {                                                                  \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                     \
		}                                                                                    \
	} while (0)

/* An input, read from its start; zeroes behind its end. */
struct input {
	const uint8_t *next, *end;
};

static inline int input_is_empty(const struct input *in)
{
	return in->next == in->end;
}

static inline u8 input_byte(struct input *in)
{
	return input_is_empty(in) ? 0 : *in->next++;
}

/* Two bytes, little-endian. */
static inline u16 input_word(struct input *in)
{
	u16 low = input_byte(in);

	return (u16)(low | input_byte(in) << 8);
}

/* The next of a sequence that looks random, the same for the same start: splitmix64. */
static inline u64 fuzz_scramble(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

#endif
