// SPDX-License-Identifier: MIT OR GPL-2.0-only
#define _GNU_SOURCE
#include "cvmmsys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/memfd.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

int lkx_vmm_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int lkx_vmm_epoll(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static int set(int epoll, int operation, int descriptor, uint32_t events)
{
	struct epoll_event event = { .events = events, .data = { .fd = descriptor } };

	return epoll_ctl(epoll, operation, descriptor, &event);
}

int lkx_vmm_epoll_add(int epoll, int descriptor, uint32_t events)
{
	return set(epoll, EPOLL_CTL_ADD, descriptor, events);
}

int lkx_vmm_epoll_change(int epoll, int descriptor, uint32_t events)
{
	return set(epoll, EPOLL_CTL_MOD, descriptor, events);
}

int lkx_vmm_epoll_remove(int epoll, int descriptor)
{
	return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL);
}

int lkx_vmm_epoll_wait(int epoll, int *descriptor, uint32_t *events)
{
	struct epoll_event event;
	int count = epoll_wait(epoll, &event, 1, -1);

	if (count <= 0)
		return count < 0 && errno != EINTR ? -1 : 0;
	*descriptor = event.data.fd;
	*events = event.events;
	return 1;
}

int lkx_vmm_signalfd(const sigset_t *set)
{
	return signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int lkx_vmm_memfd(const char *name, bool huge)
{
	return memfd_create(name, MFD_CLOEXEC | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
}

int lkx_vmm_thread(void)
{
	return gettid();
}

int lkx_vmm_kick_signal(void)
{
	return SIGRTMIN + 5;
}

int lkx_vmm_timerfd(void)
{
	return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
}

void lkx_vmm_timerfd_set(int timer, uint64_t nanoseconds)
{
	struct itimerspec when = { .it_value = { .tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000) } };

	timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

const uint32_t lkx_vmm_tap_offload = TUNSETOFFLOAD, lkx_vmm_tap_header_size = TUNSETVNETHDRSZ;

int lkx_vmm_terminal_size(int descriptor, uint16_t *columns, uint16_t *rows)
{
	struct winsize size;

	if (ioctl(descriptor, TIOCGWINSZ, &size))
		return -1;
	*columns = size.ws_col;
	*rows = size.ws_row;
	return 0;
}

/* Closes a descriptor that came to nothing, with the error kept. */
static int give_up(int descriptor)
{
	int error = errno;

	close(descriptor);
	errno = error;
	return -1;
}

int lkx_vmm_tap(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int descriptor;

	if (strlen(name) >= sizeof(request.ifr_name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(request.ifr_name, name, strlen(name));
	descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (descriptor >= 0 && ioctl(descriptor, TUNSETIFF, &request))
		return give_up(descriptor);
	return descriptor;
}
