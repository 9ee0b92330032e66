/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* System calls in processes of their own, which give up things first: for tests of the sandbox. Nothing of Swift runs in them. */
#ifndef CSANDBOXCHILD_H
#define CSANDBOXCHILD_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* A call, and its result or -errno. */
struct lkx_test_call {
	long number;
	uint64_t arguments[6];
	long result;
};

/*
 * Makes the calls one by one, on a thread that was there before the filter where `on_thread`, in a child that has the filter.
 * Returns its status as waitpid(2) has it, or -errno; what it wrote on standard error is in *said, which a zero ends.
 */
int lkx_test_filtered(const struct sock_filter *program, unsigned int count, struct lkx_test_call *calls, size_t call_count, int on_thread,
		      char *said, size_t most);

/* In a child that catches SIGBUS: reads a page of a mapped file that has none. Status and words as above. */
int lkx_test_no_memory(char *said, size_t most);

/*
 * In a child that has Landlock with these rights, all but one kept below `folder`: opens `file`, and removes `removed`. The results, 0 or -errno.
 * Returns what setting it up does.
 */
struct lkx_test_files {
	int opened;
	int removed;
	int removed_elsewhere;
};
int lkx_test_landlocked(uint64_t files, uint64_t network, uint64_t scopes, const char *folder, uint64_t kept, const char *file, const char *removed,
			const char *removed_elsewhere, struct lkx_test_files *results);

/* In a child: privileges and capabilities given up. Returns PR_GET_NO_NEW_PRIVS | whether it is not dumpable << 1 | whether it has no capability << 2. */
int lkx_test_unprivileged(void);

#endif
