// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* VMX instructions that must not fail, and did: said here once for all the places that are compiled with them, which stay small. */
#include "hw.h"

/* VMREAD and VMWRITE for files that are made small: each would have some of its own. */
u64 lkx_vmread(u32 field)
{
	return hw_vmread(NULL, field);
}

void lkx_vmwrite(u32 field, u64 value)
{
	hw_vmwrite(NULL, field, value);
}

__cold void lkx_vmwrite_failed(u32 field, u64 value)
{
	WARN_ONCE(1, "likex: VMWRITE of %#llx to field %#x failed\n", value, field);
}

__cold void lkx_invalidation_failed(const char *instruction, u64 type, u64 what)
{
	WARN_ONCE(1, "likex: %s type %llu of %#llx failed\n", instruction, type, what);
}
