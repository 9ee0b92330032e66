// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "mitigation.h"

enum lkx_mitigations lkx_mitigations_parse(const char *text)
{
	static const char *const names[] = {
		[LKX_MITIGATIONS_AUTO] = "auto", [LKX_MITIGATIONS_FULL] = "full", [LKX_MITIGATIONS_OFF] = "off",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i]))
			return i;
	return LKX_MITIGATIONS_UNKNOWN;
}

enum lkx_l1d_flush lkx_l1d_flush_choose(enum lkx_mitigations m, bool vulnerable, bool can_flush, enum lkx_l1d_flush host)
{
	if (!vulnerable || !can_flush || m == LKX_MITIGATIONS_OFF)
		return LKX_L1D_NEVER;
	return m == LKX_MITIGATIONS_FULL ? LKX_L1D_ALWAYS : host;
}
