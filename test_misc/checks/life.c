// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The life of a VM, step by step, in ticks: alone and beside idle VMs. Fails when it takes more than it may, or grows with their number.
// Meant for the lab, where a tick is an instruction and a wait for a grace period is some 500,000 of them.
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ROUNDS = 30, MEMORY = 0x10000, MAX_IDLE = 1000, FILES_PER_VM = 3, GROWTH_PERCENT = 10 };
enum step { OPEN, SLOT, VCPU, SET, RUN, UNMAP, CLOSE_VCPU, CLOSE_VM, CLOSE_SYSTEM, STEPS };

#define LIMIT 300000ull

static const char *const names[STEPS] = {
	"open, create VM", "slot", "vCPU, mmap", "registers", "run to HLT", "munmap", "close vCPU", "close VM", "close device",
};
static const char *device;
static uint8_t *memory;

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *sample)
{
	qsort(sample, ROUNDS, sizeof(*sample), by_value);
	return sample[ROUNDS / 2];
}

// Makes a VM that runs once. at[STEP] is when a step began, at[STEP + 1] when it ended.
static void begin(struct machine *m, uint64_t at[STEPS + 1])
{
	at[0] = ticks();
	machine_open(m, device);
	at[1] = ticks();
	machine_add_memory(m, 0, 0, MEMORY, 0, memory);
	at[2] = ticks();
	machine_add_vcpu(m, 0);
	at[3] = ticks();
	machine_set_mode(m, MODE_REAL16, NULL);
	machine_set_entry(m, 0, 0);
	at[4] = ticks();
	must_ioctl(m, m->vcpu_fd, KVM_RUN, 0);
	at[5] = ticks();
	if (m->run->exit_reason != KVM_EXIT_HLT)
		die("a guest that is one HLT ended with exit reason %u on %s", m->run->exit_reason, device);
}

static void end(struct machine *m, uint64_t at[STEPS + 1])
{
	at[5] = ticks();
	munmap(m->run, m->run_size);
	at[6] = ticks();
	close(m->vcpu_fd);
	at[7] = ticks();
	close(m->vm_fd);
	at[8] = ticks();
	close(m->system_fd);
	at[9] = ticks();
}

struct life { uint64_t median, least; };

// Prints the medians of one line of the table.
static struct life measure(int idle)
{
	static uint64_t sample[STEPS][ROUNDS], whole[ROUNDS];
	uint64_t at[STEPS + 1];
	struct life life;

	for (int round = 0; round < ROUNDS; round++) {
		struct machine m;
		uint64_t made;

		begin(&m, at);
		made = at[5] - at[0];
		for (int step = OPEN; step <= RUN; step++)
			sample[step][round] = at[step + 1] - at[step];
		end(&m, at);
		for (int step = UNMAP; step < STEPS; step++)
			sample[step][round] = at[step + 1] - at[step];
		whole[round] = made + at[STEPS] - at[5];
	}
	life.median = median(whole);
	life.least = whole[0]; // sorted now
	printf("%d idle VMs: life %llu, least %llu; medians:", idle, (unsigned long long)life.median, (unsigned long long)life.least);
	for (int step = 0; step < STEPS; step++)
		printf("%s %s %llu", step ? "," : "", names[step], (unsigned long long)median(sample[step]));
	printf("\n");
	return life;
}

int main(int argc, char **argv)
{
	static struct machine idle[MAX_IDLE];
	static const int counts[] = { 0, 1, 100, MAX_IDLE };
	struct rlimit files = { MAX_IDLE * FILES_PER_VM + 64, MAX_IDLE * FILES_PER_VM + 64 };
	uint64_t at[STEPS + 1], of_one = 0;
	int made = 0, failed = 0, most = MAX_IDLE;

	if (argc == 3)
		most = atoi(argv[2]);
	if (argc < 2 || argc > 3 || argv[1][0] == '-' || most < 1 || most > MAX_IDLE) {
		fprintf(stderr, "usage: life DEVICE [IDLE]\n  IDLE: beside at most so many other VMs, 1 to %d.\n", MAX_IDLE);
		return 2;
	}
	device = argv[1];
	if (setrlimit(RLIMIT_NOFILE, &files))
		die_errno("cannot have %llu files open", (unsigned long long)files.rlim_cur);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die_errno("mmap of %d bytes of guest memory", MEMORY);
	memset(memory, 0xf4, MEMORY); // HLT
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts) && counts[i] <= most; i++) {
		struct life life;

		while (made < counts[i])
			begin(&idle[made++], at);
		life = measure(made);
		if (life.median > LIMIT) {
			printf("FAILED: a life takes %llu ticks, more than %llu\n", (unsigned long long)life.median, LIMIT);
			failed = 1;
		}
		// The very first VM brings the processors into VMX operation, the last takes them out: what grows is counted from one
		// on. By the least, which no interrupt is in: the longer a life, the more of the host's timer would be counted with it.
		if (made == 1)
			of_one = life.least;
		if (made > 1 && life.least > of_one + of_one * GROWTH_PERCENT / 100) {
			printf("FAILED: beside %d VMs a life takes %llu ticks, beside one %llu: more than %d %% apart\n", made,
			       (unsigned long long)life.least, (unsigned long long)of_one, GROWTH_PERCENT);
			failed = 1;
		}
	}
	while (made)
		end(&idle[--made], at);
	return failed;
}
