// SPDX-License-Identifier: MIT OR GPL-2.0-only
#define _GNU_SOURCE
#include "ckvmsys.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

bool lkx_sys_read_memory(uint64_t address, void *to, size_t count)
{
	struct iovec local = { to, count }, remote = { (void *)(uintptr_t)address, count };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)count;
}

bool lkx_sys_write_memory(uint64_t address, const void *from, size_t count)
{
	struct iovec local = { (void *)(uintptr_t)from, count }, remote = { (void *)(uintptr_t)address, count };

	return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)count;
}

bool lkx_sys_populate(uint64_t page, bool write)
{
	return madvise((void *)(uintptr_t)page, 4096, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) == 0;
}

/* Bits of an entry: the kernel's Documentation/admin-guide/mm/pagemap.rst. */
#define PRESENT (1ull << 63)
#define FILE_OR_SHARED (1ull << 61)
#define EXCLUSIVE (1ull << 56)

void lkx_sys_find_own(uint64_t page, size_t count, bool *own)
{
	uint64_t entry[LKX_SYS_OWN_PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	if (fd >= 0 && count <= LKX_SYS_OWN_PAGES)
		got = pread(fd, entry, count * sizeof(entry[0]), (off_t)(page / 4096 * sizeof(entry[0])));
	for (size_t i = 0; i < count; i++)
		own[i] = got >= (ssize_t)((i + 1) * sizeof(entry[0])) &&
			 (entry[i] & (PRESENT | FILE_OR_SHARED | EXCLUSIVE)) == (PRESENT | EXCLUSIVE);
	if (fd >= 0)
		close(fd);
}
