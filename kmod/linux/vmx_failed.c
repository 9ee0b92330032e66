// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* VMX instructions that must not fail, and did: said here once for all the places that are compiled with them, which stay small. */
#include "hw.h"

__cold void lkx_vmwrite_failed(u32 field, u64 value)
{
	WARN_ONCE(1, "likex: VMWRITE of %#llx to field %#x failed\n", value, field);
}

__cold void lkx_invalidation_failed(const char *instruction, u64 type, u64 what)
{
	WARN_ONCE(1, "likex: %s type %llu of %#llx failed\n", instruction, type, what);
}
