/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The bytes of the instruction at RIP, read as the processor fetches them. */
#ifndef LKX_FETCH_H
#define LKX_FETCH_H

#include "decode_prefix.h"
#include "guest_memory.h"

struct lkx_fetched {
	u8 byte[LKX_INSN_MAX];
	u8 count;   /* how many could be read */
	int err;    /* why not all: -EFAULT, -ENXIO, -EAGAIN as lkx_gla_read; 0 where all were */
	struct lkx_walk_fault fault;
};

/* Reads up to 15 bytes at CS:RIP; those of a second page only where it can be read. */
void lkx_fetch(struct lkx_vcpu *v, struct lkx_fetched *f);

#endif
