// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "mtrr.h"
#include "cpuid.h"

#define VARIABLE_FIRST 0x200u /* IA32_MTRR_PHYSBASE0, then its mask, and so on */
#define VARIABLE (2 * LKX_MTRR_RANGES)
#define BASE_RESERVED 0xf00ull
#define MASK_RESERVED 0x7ffull
#define DEF_TYPE_BITS 0xcffull
#define MTRR_TYPES 0x73 /* by number: UC, WC, WT, WP, WB */
#define PAT_TYPES 0xf3  /* and UC- */

/* Is every byte of it one of the types? */
static bool types_valid(u64 value, u8 types)
{
	for (; value; value >>= 8)
		if ((value & 0xff) > 7 || !(types >> (value & 7) & 1))
			return false;
	return true;
}

bool lkx_pat_valid(u64 value)
{
	return types_valid(value, PAT_TYPES);
}

bool lkx_mtrr_def_type_valid(u64 value)
{
	return !(value & ~DEF_TYPE_BITS) && types_valid(value & 0xff, MTRR_TYPES);
}

u64 *lkx_mtrr(struct lkx_vcpu *v, u32 index)
{
	u32 n = index - VARIABLE_FIRST;

	if (n < VARIABLE)
		return &v->mtrr[n];
	if (n == 0x50) /* of 64 KiB; then two of 16 KiB, and eight of 4 KiB */
		return &v->mtrr[VARIABLE];
	if (n == 0x58 || n == 0x59)
		return &v->mtrr[n - 0x58 + VARIABLE + 1];
	if (n >= 0x68 && n <= 0x6f)
		return &v->mtrr[n - 0x68 + VARIABLE + 3];
	return NULL;
}

bool lkx_mtrr_set(struct lkx_vcpu *v, u32 index, u64 value)
{
	u64 *mtrr = lkx_mtrr(v, index), reserved;

	if (!mtrr)
		return true;
	reserved = ~((1ull << lkx_cpuid_physical_bits(v)) - 1);
	if (mtrr >= v->mtrr + VARIABLE) {
		if (!types_valid(value, MTRR_TYPES))
			return true;
	} else if (index & 1) {
		if (value & (reserved | MASK_RESERVED))
			return true;
	} else if ((value & (reserved | BASE_RESERVED)) || !types_valid(value & 0xff, MTRR_TYPES)) {
		return true;
	}
	*mtrr = value;
	return false;
}
