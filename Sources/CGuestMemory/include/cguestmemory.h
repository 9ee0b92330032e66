/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Loads and stores of memory that a guest changes meanwhile: each is one access of the processor's, of just this width, and none is
 * repeated or left out by the compiler. The address is a multiple of the width.
 */
#ifndef CGUESTMEMORY_H
#define CGUESTMEMORY_H

#include <stdint.h>

#define LKX_GUEST_INTEGER(bits)									\
	static inline uint##bits##_t lkx_guest_load##bits(const void *at)			\
	{											\
		return __atomic_load_n((const uint##bits##_t *)at, __ATOMIC_RELAXED);		\
	}											\
	static inline void lkx_guest_store##bits(void *at, uint##bits##_t value)		\
	{											\
		__atomic_store_n((uint##bits##_t *)at, value, __ATOMIC_RELAXED);		\
	}

LKX_GUEST_INTEGER(8)
LKX_GUEST_INTEGER(16)
LKX_GUEST_INTEGER(32)
LKX_GUEST_INTEGER(64)
#undef LKX_GUEST_INTEGER

/* What is read after this was written before what the other side stored with release. */
static inline uint16_t lkx_guest_load16_acquire(const void *at)
{
	return __atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE);
}

/* Who sees this value sees all that was written before it. */
static inline void lkx_guest_store16_release(void *at, uint16_t value)
{
	__atomic_store_n((uint16_t *)at, value, __ATOMIC_RELEASE);
}

/* A store before this is seen by the other side before a load after it is done: for "publish, then look whether to notify". */
static inline void lkx_guest_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
