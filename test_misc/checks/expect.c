// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "expect.h"

#include <stdio.h>

int checks, problems;

void expect(const char *what, long found, long expected)
{
	checks++;
	if (found == expected)
		return;
	printf("%s: %ld (%#lx), not %ld\n", what, found, found, expected);
	problems++;
}
