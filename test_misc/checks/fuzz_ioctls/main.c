// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Four threads that give a device of KVM's kind whatever comes: ioctls of every kind on files of every kind (LiKeX's one file, too), pointers to
// memory that other threads take away, closes, mappings, signals. It is the kernel that must not mind: what is wrong shows in its log.
#include "../machine.h"
#include "fuzz.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, SIGNAL_EACH_US = 500, ENOUGH = 100 };

static uint64_t seed;
static unsigned long wanted;
static atomic_ulong done;
static atomic_int running;

static void nothing(int number)
{
	(void)number;
}

static unsigned long sum(const atomic_ulong *of)
{
	unsigned long all = 0;

	for (size_t i = 0; i < call_count; i++)
		all += of[i];
	return all;
}

static void *work(void *argument)
{
	struct random r;
	unsigned int laps = 0;

	random_start(&r, seed + (uintptr_t)argument * 0x1000000);
	while (!done) {
		step(&r);
		// Counting all costs as much as a call.
		if (++laps % 64 == 0 && sum(tried) >= wanted)
			done = 1;
	}
	running--;
	return NULL;
}

// Of ioctls that work at least now and then in such a storm, ENOUGH tries without success mean that the fuzzer has learned nothing.
static int judge(void)
{
	static const char *const must_work[] = {
		"KVM_CREATE_VM", "KVM_CREATE_VCPU", "KVM_SET_USER_MEMORY_REGION", "KVM_RUN", "KVM_GET_SREGS", "KVM_SET_SREGS", "KVM_SET_REGS",
		"KVM_SET_CPUID2", "KVM_GET_MSRS", "LIKEX_CREATE",
	};
	int failed = 0;

	for (size_t m = 0; m < sizeof(must_work) / sizeof(must_work[0]); m++)
		for (size_t i = 0; i < call_count; i++)
			if (!strcmp(calls[i].name, must_work[m]) && tried[i] >= ENOUGH && !worked[i]) {
				printf("FAILED: %s was tried %lu times and never worked\n", calls[i].name, (unsigned long)tried[i]);
				failed = 1;
			}
	return failed;
}

static void tell(void)
{
	for (size_t i = 0; i < call_count; i++)
		if (worked[i])
			printf("%-36s %8lu calls, %8lu worked\n", calls[i].name, (unsigned long)tried[i], (unsigned long)worked[i]);
	printf("%lu calls, %lu worked\n", sum(tried), sum(worked));
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = nothing }; // no SA_RESTART: a KVM_RUN ends
	struct timespec pause = { .tv_nsec = SIGNAL_EACH_US * 1000 };
	pthread_t thread[THREADS];
	struct random r;

	if (argc < 3 || argc > 4 || argv[1][0] == '-' || atol(argv[2]) < 1) {
		fprintf(stderr, "usage: fuzz_ioctls DEVICE CALLS [SEED]\n");
		return 2;
	}
	wanted = strtoul(argv[2], NULL, 0);
	seed = argc == 4 ? strtoull(argv[3], NULL, 0) : (uint64_t)time(NULL);
	printf("fuzz_ioctls %s %lu %llu\n", argv[1], wanted, (unsigned long long)seed);
	fflush(stdout);
	random_start(&r, seed);
	sigaction(SIGUSR1, &action, NULL);
	if (files_open(argv[1]) < 0)
		die_errno("cannot open %s (is its module loaded, and may you use it?)", argv[1]);
	memory_start(&r);
	running = THREADS;
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, work, (void *)(i + 1)))
			die("cannot start a thread");
	while (running) {
		nanosleep(&pause, NULL);
		for (int i = 0; i < THREADS; i++)
			pthread_kill(thread[i], SIGUSR1);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	files_close_all();
	tell();
	return judge();
}
