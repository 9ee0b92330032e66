// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Memory that changes under a guest: after each change it sees the new contents, or the VMM gets EFAULT. Never a stale page.
#include "subject.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const struct test_case *const tables[] = { turn_cases, file_cases, large_cases, slot_cases, race_cases };
	const char *only = argc > 2 ? argv[2] : NULL;
	int tried = 0, failed = 0;

	if (argc < 2 || argc > 3 || argv[1][0] == '-') {
		fprintf(stderr, "usage: memory_change DEVICE [CASE]\n"
				"  Changes memory under a guest in every way; CASE: only those whose name contains it.\n");
		return 2;
	}
	for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++)
		for (const struct test_case *test = tables[t]; test->name; test++) {
			struct check c = { .name = test->name };

			if (only && !strstr(test->name, only))
				continue;

			const char *reason = test->run(&c, argv[1]);

			tried++;
			failed += c.failed;
			if (reason)
				printf("skip\t%s: %s\n", test->name, reason);
			else if (!c.failed)
				printf("ok\t%s\n", test->name);
			fflush(stdout);
		}
	if (!tried)
		die("no case's name contains \"%s\"", only);
	printf("%d cases on %s, %d failed\n", tried, argv[1], failed);
	return failed ? 1 : 0;
}
