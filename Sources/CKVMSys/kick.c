// SPDX-License-Identifier: MIT OR GPL-2.0-only
#define _GNU_SOURCE
#include "ckvmsys.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The first real-time signals belong to the C library. */
#define KICK_SIGNAL (SIGRTMIN + 4)

static void kicked(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	/* Only a timer carries the flag's address: the signal may have been sent by hand. */
	if (info->si_code == SI_TIMER && info->si_value.sival_ptr)
		*(volatile uint8_t *)info->si_value.sival_ptr = 1;
}

int lkx_sys_kick_arm(uint64_t milliseconds, uint8_t *immediate_exit, uintptr_t *timer)
{
	struct sigaction action;
	struct sigevent event;
	struct itimerspec when;
	timer_t made;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = kicked;
	action.sa_flags = SA_SIGINFO; /* no SA_RESTART: KVM_RUN must come back with EINTR */
	if (sigaction(KICK_SIGNAL, &action, NULL))
		return -errno;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = KICK_SIGNAL;
	event.sigev_value.sival_ptr = immediate_exit;
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &made))
		return -errno;

	memset(&when, 0, sizeof(when));
	if (milliseconds == 0)
		milliseconds = 1; /* zero would disarm it */
	when.it_value.tv_sec = (time_t)(milliseconds / 1000);
	when.it_value.tv_nsec = (long)(milliseconds % 1000) * 1000000;
	when.it_interval.tv_nsec = 20 * 1000000;
	if (timer_settime(made, 0, &when, NULL)) {
		int error = errno;

		timer_delete(made);
		return -error;
	}
	*timer = (uintptr_t)made;
	return 0;
}

void lkx_sys_kick_disarm(uintptr_t timer)
{
	/* A signal already queued for this thread is taken on the way out of this call, with the flag still mapped. */
	timer_delete((timer_t)timer);
}
