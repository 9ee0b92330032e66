/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <unicorn/unicorn.h>

/* Variadic functions aren't visible to Swift. */
static inline uc_err likex_uc_hook_interrupt(uc_engine *engine, uc_hook *hook,
	void (*callback)(uc_engine *, uint32_t, void *), void *context)
{
	return uc_hook_add(engine, hook, UC_HOOK_INTR, (void *)callback, context, (uint64_t)1, (uint64_t)0);
}
