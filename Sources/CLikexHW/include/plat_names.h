/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The kernel's everyday names that the core is written with, for user space. */
#ifndef LKX_PLAT_NAMES_H
#define LKX_PLAT_NAMES_H

#include <stddef.h>

/* As the kernel has them: 64 bits are long long, so that one printf format fits both. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

#define BIT(n) (1ul << (n))
#define BIT_ULL(n) (1ull << (n))
#define GENMASK_ULL(high, low) ((~0ull << (low)) & (~0ull >> (63 - (high))))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BUILD_BUG_ON(condition) _Static_assert(!(condition), "BUILD_BUG_ON: " #condition)
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

#define min(a, b)                                      \
	({                                             \
		__typeof__(a) min_a = (a);             \
		__typeof__(b) min_b = (b);             \
		(void)(&min_a == &min_b);              \
		min_a < min_b ? min_a : min_b;         \
	})
#define max(a, b)                                      \
	({                                             \
		__typeof__(a) max_a = (a);             \
		__typeof__(b) max_b = (b);             \
		(void)(&max_a == &max_b);              \
		max_a > max_b ? max_a : max_b;         \
	})
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))
#define swap(a, b)                             \
	do {                                   \
		__typeof__(a) swap_a = (a);    \
		(a) = (b);                     \
		(b) = swap_a;                  \
	} while (0)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define noinline __attribute__((noinline))
#define fallthrough __attribute__((__fallthrough__))

/* <linux/math64.h> */
static inline u64 div_u64(u64 a, u32 b)
{
	return a / b;
}

static inline u64 div64_u64(u64 a, u64 b)
{
	return a / b;
}

static inline u64 mul_u64_u64_shr(u64 a, u64 b, unsigned int shift)
{
	return (u64)(((unsigned __int128)a * b) >> shift);
}

static inline u64 mul_u64_u32_shr(u64 a, u32 b, unsigned int shift)
{
	return mul_u64_u64_shr(a, b, shift);
}

static inline u64 mul_u64_u32_div(u64 a, u32 b, u32 divisor)
{
	return (u64)((unsigned __int128)a * b / divisor);
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 divisor)
{
	return (u64)((unsigned __int128)a * b / divisor);
}

#endif
