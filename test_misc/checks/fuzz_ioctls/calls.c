// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Which ioctls there are is the module's own table: a new one is fuzzed from the day it is in there.
#include "../machine.h"
#include "fuzz.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../kmod/include/uapi/likex.h"

#define LKX_IOCTL(name, scope) { #name, name },
const struct call calls[] = {
#include "../../../kmod/include/tables/ioctls.def"
};
#undef LKX_IOCTL
enum { CALLS = sizeof(calls) / sizeof(calls[0]), NEVER_WORKS = 200, IOCTL32 = 54, GETPID32 = 20 };
const size_t call_count = CALLS;
atomic_ulong tried[CALLS], worked[CALLS], tried32, worked32;

// A system call as a 32-bit program makes it, by i386's numbers: the kernel takes the compat way. -errno.
static int system_call32(uint32_t number, uint32_t a, uint32_t b, uint32_t c)
{
	int result;

	asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "r8", "r9", "r10", "r11", "memory");
	return result;
}

void calls_start(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(system_call32(GETPID32, 0, 0, 0) != getpid());
	if (child < 0 || waitpid(child, &status, 0) != child)
		die_errno("cannot try a 32-bit system call in a child");
	if (status)
		die("this kernel has no 32-bit system calls, which half of this program is about: boot it with ia32_emulation=1");
}

int call_index(struct random *r, int fd, size_t index, void *argument)
{
	uintptr_t address = (uintptr_t)argument;
	bool narrow = address <= UINT32_MAX && random_below(r, 4) == 0;
	int result = narrow ? system_call32(IOCTL32, fd, calls[index].request, address) : ioctl(fd, calls[index].request, argument);

	atomic_fetch_add_explicit(&tried[index], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&worked[index], result >= 0, memory_order_relaxed);
	if (narrow) {
		atomic_fetch_add_explicit(&tried32, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&worked32, result >= 0, memory_order_relaxed);
	}
	return result;
}

int call(struct random *r, int fd, unsigned long request, void *argument)
{
	size_t index = 0;

	while (index + 1 < CALLS && calls[index].request != request)
		index++;
	return call_index(r, fd, index, argument);
}

static bool sets_region(size_t index)
{
	return !strncmp(calls[index].name, "KVM_SET_USER_MEMORY_REGION", 26);
}

size_t call_any(struct random *r)
{
	size_t index;

	do
		index = random_below(r, CALLS);
	while (sets_region(index) || (tried[index] > NEVER_WORKS && !worked[index] && random_below(r, 8)));
	return index;
}

size_t call_region(struct random *r)
{
	size_t index = random_below(r, CALLS);

	while (!sets_region(index))
		index = (index + 1) % CALLS;
	return index;
}
