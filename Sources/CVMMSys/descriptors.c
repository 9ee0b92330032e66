// SPDX-License-Identifier: MIT OR GPL-2.0-only
#define _GNU_SOURCE
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

long lkx_vmm_receive(int socket, void *to, size_t count, int descriptors[LKX_VMM_MOST_DESCRIPTORS], unsigned int *came)
{
	/* The kernel closes what has no room here, and sets MSG_CTRUNC. */
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * LKX_VMM_MOST_DESCRIPTORS)];
	} control;
	struct iovec vector = { .iov_base = to, .iov_len = count };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *part;
	long result;

	*came = 0;
	do
		result = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (result < 0 && errno == EINTR);
	if (result < 0)
		return -(long)errno;
	for (part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
			int descriptor;

			memcpy(&descriptor, CMSG_DATA(part) + at, sizeof(descriptor));
			if (*came < LKX_VMM_MOST_DESCRIPTORS)
				descriptors[(*came)++] = descriptor;
			else
				close(descriptor);
		}
	}
	return result;
}

int lkx_vmm_file_state(int descriptor, struct lkx_vmm_file *file)
{
	struct stat state;

	file->flags = fcntl(descriptor, F_GETFL);
	/* Not fstat(3): the C library makes that a call that takes a path as well. */
	if (file->flags < 0 || syscall(SYS_fstat, descriptor, &state))
		return -errno;
	file->is_regular = S_ISREG(state.st_mode);
	file->is_block = S_ISBLK(state.st_mode);
	file->device = file->is_block ? state.st_rdev : state.st_dev;
	file->number = file->is_block ? 0 : state.st_ino;
	return 0;
}

const int lkx_vmm_path_only = O_PATH, lkx_vmm_direct = O_DIRECT;

int lkx_vmm_lock_file(int descriptor, bool shared)
{
	return flock(descriptor, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) ? -errno : 0;
}

void lkx_vmm_unlock_file(int descriptor)
{
	flock(descriptor, LOCK_UN);
}
