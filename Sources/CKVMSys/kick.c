// SPDX-License-Identifier: MIT OR GPL-2.0-only
#define _GNU_SOURCE
#include "ckvmsys.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The first real-time signals belong to the C library. */
#define KICK_SIGNAL (SIGRTMIN + 4)

struct lkx_sys_kick {
	timer_t timer;
	bool was_blocked;
};

/* Blocks or unblocks the signal on this thread, and says whether it was blocked. */
static bool change_mask(int how)
{
	sigset_t signals, before;

	sigemptyset(&signals);
	sigaddset(&signals, KICK_SIGNAL);
	pthread_sigmask(how, &signals, &before);
	return sigismember(&before, KICK_SIGNAL) == 1;
}

static void kicked(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	/* Only a timer carries the flag's address: the signal may have been sent by hand. */
	if (info->si_code == SI_TIMER && info->si_value.sival_ptr)
		*(volatile uint8_t *)info->si_value.sival_ptr = 1;
}

static int make_timer(uint8_t *immediate_exit, timer_t *timer)
{
	struct sigevent event;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = KICK_SIGNAL;
	event.sigev_value.sival_ptr = immediate_exit;
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	return timer_create(CLOCK_MONOTONIC, &event, timer) ? -errno : 0;
}

static int start_timer(timer_t timer, uint64_t milliseconds)
{
	struct itimerspec when;

	memset(&when, 0, sizeof(when));
	if (milliseconds == 0)
		milliseconds = 1; /* zero would disarm it */
	when.it_value.tv_sec = (time_t)(milliseconds / 1000);
	when.it_value.tv_nsec = (long)(milliseconds % 1000) * 1000000;
	when.it_interval.tv_nsec = 20 * 1000000;
	return timer_settime(timer, 0, &when, NULL) ? -errno : 0;
}

int lkx_sys_kick_arm(uint64_t milliseconds, uint8_t *immediate_exit, struct lkx_sys_kick **kick)
{
	struct sigaction action;
	struct lkx_sys_kick *made;
	int error;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = kicked;
	action.sa_flags = SA_SIGINFO; /* no SA_RESTART: KVM_RUN must come back with EINTR */
	if (sigaction(KICK_SIGNAL, &action, NULL))
		return -errno;

	made = malloc(sizeof(*made));
	if (!made)
		return -ENOMEM;
	error = make_timer(immediate_exit, &made->timer);
	if (error) {
		free(made);
		return error;
	}
	/* Threads of a pool, and programs that such a thread starts, have all signals blocked. */
	made->was_blocked = change_mask(SIG_UNBLOCK);
	error = start_timer(made->timer, milliseconds);
	if (error) {
		lkx_sys_kick_disarm(made);
		return error;
	}
	*kick = made;
	return 0;
}

void lkx_sys_kick_disarm(struct lkx_sys_kick *kick)
{
	/* A signal already queued for this thread is taken on the way out of this call, with the flag still mapped. */
	timer_delete(kick->timer);
	if (kick->was_blocked)
		change_mask(SIG_BLOCK);
	free(kick);
}
