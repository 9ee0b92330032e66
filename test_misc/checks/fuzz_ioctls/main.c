// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Four threads that give a device of KVM's kind whatever comes: ioctls of every kind on files of every kind (LiKeX's one file, too), pointers to
// memory that other threads take away, closes, mappings, signals, callers of 64 and of 32 bits. It is the kernel that must not mind: what is wrong shows in its log.
#include "../machine.h"
#include "fuzz.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// A signal costs as much as some ten calls, and a KVM_RUN of a guest that spins lasts until its thread's next.
enum { THREADS = 4, SIGNAL_WITHIN_US = 2000, ENOUGH = 100, STACK = 128 * 1024 };

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
		"KVM_SET_CPUID2", "KVM_GET_MSRS", "KVM_IOEVENTFD", "LIKEX_CREATE",
	};
	int failed = 0;

	for (size_t m = 0; m < sizeof(must_work) / sizeof(must_work[0]); m++)
		for (size_t i = 0; i < call_count; i++)
			if (!strcmp(calls[i].name, must_work[m]) && tried[i] >= ENOUGH && !worked[i]) {
				printf("FAILED: %s was tried %lu times and never worked\n", calls[i].name, (unsigned long)tried[i]);
				failed = 1;
			}
	if (tried32 >= ENOUGH && !worked32) {
		printf("FAILED: a 32-bit caller tried %lu times and never succeeded\n", (unsigned long)tried32);
		failed = 1;
	}
	return failed;
}

static void tell(void)
{
	for (size_t i = 0; i < call_count; i++)
		if (worked[i])
			printf("%-36s %8lu calls, %8lu worked\n", calls[i].name, (unsigned long)tried[i], (unsigned long)worked[i]);
	printf("never worked:");
	for (size_t i = 0; i < call_count; i++)
		if (!worked[i])
			printf(" %s", calls[i].name);
	printf("\n%lu calls, %lu worked; %lu of them of 32-bit callers, %lu worked\n", sum(tried), sum(worked), (unsigned long)tried32,
	       (unsigned long)worked32);
}

// Its stack is where a 32-bit caller can point to.
static void start_thread(pthread_t *thread, void *number)
{
	pthread_attr_t attributes;

	if (pthread_attr_init(&attributes) || pthread_attr_setstack(&attributes, memory_low(STACK, PROT_READ | PROT_WRITE), STACK) ||
	    pthread_create(thread, &attributes, work, number))
		die("cannot start a thread");
	pthread_attr_destroy(&attributes);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = nothing }; // no SA_RESTART: a KVM_RUN ends
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
	calls_start();
	memory_start(&r);
	running = THREADS;
	for (uintptr_t i = 0; i < THREADS; i++)
		start_thread(&thread[i], (void *)(i + 1));
	while (running) {
		nanosleep(&(struct timespec){ .tv_nsec = random_below(&r, SIGNAL_WITHIN_US) * 1000 }, NULL);
		pthread_kill(thread[random_below(&r, THREADS)], SIGUSR1);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	files_close_all();
	tell();
	return judge();
}
