// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "fuzz.h"

void random_start(struct random *r, uint64_t seed)
{
	r->state = seed;
}

// Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014), by its published constants.
uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t random_below(struct random *r, uint32_t bound)
{
	return (random_next(r) >> 32) % bound;
}
