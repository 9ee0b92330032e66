// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "create.h"
#include "state.h"

#define KNOWN_FLAGS (LIKEX_CREATE_REGS | LIKEX_CREATE_SREGS)

/* One layout for programs of 32 and of 64 bits. */
_Static_assert(sizeof(struct likex_create) == 784, "LIKEX_CREATE's struct has grown: older programs' size has to be taken, too");
_Static_assert(offsetof(struct likex_create, created) == 24, "likex_create.created");
_Static_assert(offsetof(struct likex_create, memslot) == 40, "likex_create.memslot");
_Static_assert(offsetof(struct likex_create, regs) == 296, "likex_create.regs");
_Static_assert(offsetof(struct likex_create, sregs) == 440, "likex_create.sregs");
_Static_assert(offsetof(struct likex_create, reserved) == 752, "likex_create.reserved");

int lkx_create_check_size(u32 size)
{
	if (size < LKX_CREATE_MIN_SIZE)
		return -EINVAL;
	return size > LKX_CREATE_MAX_SIZE ? -E2BIG : 0;
}

int lkx_create_check(const struct likex_create *c)
{
	unsigned int i;

	if (c->flags & ~KNOWN_FLAGS || c->memslots > LIKEX_CREATE_MEMSLOTS)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(c->reserved); i++)
		if (c->reserved[i])
			return -EINVAL;
	return 0;
}

int lkx_create_registers(struct lkx_vcpu *v, const struct likex_create *c)
{
	int r = c->flags & LIKEX_CREATE_SREGS ? lkx_set_sregs(v, &c->sregs) : 0;

	if (!r && c->flags & LIKEX_CREATE_REGS)
		lkx_set_regs(v, &c->regs);
	return r;
}
