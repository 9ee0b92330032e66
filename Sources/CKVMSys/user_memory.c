// SPDX-License-Identifier: MIT OR GPL-2.0-only
#define _GNU_SOURCE
#include "ckvmsys.h"

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
