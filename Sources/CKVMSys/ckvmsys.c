// SPDX-License-Identifier: MIT OR GPL-2.0-only
#define _GNU_SOURCE
#include "ckvmsys.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

long lkx_sys_ioctl(int fd, unsigned long request, unsigned long argument)
{
	long result = ioctl(fd, request, argument);

	return result < 0 ? -(long)errno : result;
}

int lkx_sys_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int lkx_sys_map(int fd, size_t length, void **address)
{
	int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *mapping = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (mapping == MAP_FAILED)
		return errno;
	*address = mapping;
	return 0;
}

const char *lkx_sys_errno_name(int number)
{
	return strerrorname_np(number);
}

const char *lkx_sys_errno_text(int number)
{
	const char *text = strerrordesc_np(number);

	return text ? text : "unknown error";
}

long lkx_sys_run(int fd, unsigned long request, uint64_t *ticks)
{
	uint64_t start = lkx_sys_ticks();
	int result = ioctl(fd, request, 0UL);

	*ticks = lkx_sys_ticks() - start;
	return result < 0 ? -(long)errno : 0;
}

uint64_t lkx_sys_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void lkx_sys_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	__cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
}
