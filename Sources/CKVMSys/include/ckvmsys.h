/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What Swift can't say by itself: ioctl (variadic), the time-stamp counter, and a signal handler.
 * Every function that can fail answers -errno, so that errno is read in one place.
 */
#ifndef CKVMSYS_H
#define CKVMSYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <x86intrin.h>

/* ioctl(2) with an integer, and with a pointer, as its argument: the result, or -errno. */
long lkx_sys_ioctl(int fd, unsigned long request, unsigned long argument);

/* open(2), read/write, close-on-exec: the descriptor, or -errno. */
int lkx_sys_open(const char *path);

/* mmap(2), shared when fd >= 0, else private and anonymous: the errno, or 0 and the address in *address. */
int lkx_sys_map(int fd, size_t length, void **address);

/*
 * This process's own memory, at addresses that may be anything: false where a load or a store would be a signal, and some of it may have been
 * copied. process_vm_readv(2), process_vm_writev(2)
 */
bool lkx_sys_read_memory(uint64_t address, void *to, size_t count);
bool lkx_sys_write_memory(uint64_t address, const void *from, size_t count);
/* Makes one page present as a load or a store there would; false where that would be a signal. madvise(2), MADV_POPULATE_* of Linux 5.14 */
bool lkx_sys_populate(uint64_t page, bool write);
#define LKX_SYS_OWN_PAGES 512
/*
 * Which of the `count` pages from `page` on, at most LKX_SYS_OWN_PAGES, are there already, each a private one of this process's that nobody shares.
 * /proc/self/pagemap; none where that can't be read.
 */
void lkx_sys_find_own(uint64_t page, size_t count, bool *own);

/* "EINVAL" and "Invalid argument"; the name is null for a number without one. */
const char *lkx_sys_errno_name(int number);
const char *lkx_sys_errno_text(int number);

/* The time-stamp counter after everything before it has completed. */
static inline uint64_t lkx_sys_ticks(void)
{
	uint64_t ticks;

	_mm_lfence();
	ticks = __rdtsc();
	_mm_lfence();
	return ticks;
}

/* ioctl(KVM_RUN) with its cost in ticks of the TSC: 0, or -errno. Never retried: EINTR is the kick. */
long lkx_sys_run(int fd, unsigned long request, uint64_t *ticks);

struct lkx_sys_kick;

/*
 * A timer that ends this thread's KVM_RUN: when `milliseconds` have passed, and every 20 ms after that, the
 * thread gets a signal whose handler stores 1 to *immediate_exit. A signal between the last look at the
 * flag and KVM_RUN is thus not lost, and a run that clears the flag is kicked again.
 * Arm and disarm on the thread that runs the vCPU; the signal is unblocked between.
 * 0 and the timer in *kick, or -errno.
 */
int lkx_sys_kick_arm(uint64_t milliseconds, uint8_t *immediate_exit, struct lkx_sys_kick **kick);
void lkx_sys_kick_disarm(struct lkx_sys_kick *kick);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t lkx_sys_now(void);

/* CPUID on this processor: eax, ebx, ecx, edx. */
void lkx_sys_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

#endif
