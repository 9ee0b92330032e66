/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Descriptors that come through a unix socket, and what a descriptor is open for. */
#ifndef CVMMSYS_DESCRIPTORS_H
#define CVMMSYS_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is taken from one message; the others are closed. */
#define LKX_VMM_MOST_DESCRIPTORS 4

/* recvmsg(2) without waiting: how many bytes, 0 at the end, or -errno; and the descriptors that came along, close-on-exec, which are the caller's. */
long lkx_vmm_receive(int socket, void *to, size_t count, int descriptors[LKX_VMM_MOST_DESCRIPTORS], unsigned int *came);

struct lkx_vmm_file {
	/* O_ACCMODE and others of open(2). */
	int flags;
	bool is_regular;
	bool is_block;
	/* Two descriptors are of one file where these and is_block are the same. */
	uint64_t device;
	uint64_t number;
};

/* fstat(2) and F_GETFL: 0, or -errno. */
int lkx_vmm_file_state(int descriptor, struct lkx_vmm_file *file);
/* O_PATH, O_DIRECT. */
extern const int lkx_vmm_path_only, lkx_vmm_direct;
/* flock(2), which doesn't wait: 0, or -errno. */
int lkx_vmm_lock_file(int descriptor, bool shared);
void lkx_vmm_unlock_file(int descriptor);

#endif
