/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef MMIO_FUZZ_H
#define MMIO_FUZZ_H

#include "fuzz.h"
#include "mmio.h"

/* An instruction of the guest's, and the registers that it is decoded with. */
struct guest_code {
	struct lkx_decode_context context;
	u64 gpr[16];
	u8 byte[15];
	unsigned int count;
};

/* Decodes it in several ways and checks that they agree (mmio_decode.c). */
void decode_guest_code(const struct guest_code *g);
/* Lets a guest run into it: violation, user space's answers, what becomes of registers (mmio_exit.c). `choices` says which violation. */
void exit_at_guest_code(const struct guest_code *g, u8 choices);

#endif
