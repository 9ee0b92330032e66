// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The life of a VM, step by step, in ticks: alone, beside idle VMs, and made by one call where the device has that. Fails when it takes more
// than it may, grows with their number, or the one call is not the cheaper way.
// With -t one life runs between two `xchg %bx, %bx`, for test_misc/bench/profile.
// Meant for the lab, where a tick is an instruction and a wait for a grace period is some 500,000 of them.
#include "machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../../kmod/include/uapi/likex.h"

enum { ROUNDS = 30, MEMORY = 0x10000, MAX_IDLE = 1000, FILES_PER_VM = 3, GROWTH_PERCENT = 10 };
enum step { OPEN, SLOT, VCPU, SET, RUN, UNMAP, CLOSE_VCPU, CLOSE_VM, CLOSE_SYSTEM, STEPS };

#define LIMIT 300000ull
#define LIMIT_AT_ONCE 200000ull

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

// The same by LIKEX_CREATE: OPEN, then VCPU, and nothing of the steps between and after.
static void begin_at_once(struct machine *m, uint64_t at[STEPS + 1], const struct kvm_sregs *sregs)
{
	struct likex_create create = {
		.size = sizeof(create), .flags = LIKEX_CREATE_REGS | LIKEX_CREATE_SREGS, .memslots = 1,
		.memslot = { { .memory_size = MEMORY, .userspace_addr = (uintptr_t)memory } }, .regs = { .rflags = 2 },
	};

	memset(m, 0, sizeof(*m));
	m->device = device;
	at[0] = ticks();
	m->system_fd = open(device, O_RDWR | O_CLOEXEC);
	if (m->system_fd < 0)
		die_errno("cannot open %s", device);
	must_ioctl(m, m->system_fd, KVM_GET_API_VERSION, 0);
	at[1] = at[2] = ticks();
	create.sregs = *sregs;
	must_ioctl(m, m->system_fd, LIKEX_CREATE, &create);
	m->vm_fd = create.created.vm_fd;
	m->vcpu_fd = create.created.vcpu_fd;
	m->run_size = create.created.run_size;
	m->run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu_fd, 0);
	if (m->run == MAP_FAILED)
		die_errno("mmap of the run page (%zu bytes) of %s", m->run_size, device);
	at[3] = at[4] = ticks();
	must_ioctl(m, m->vcpu_fd, KVM_RUN, 0);
	at[5] = ticks();
	if (m->run->exit_reason != KVM_EXIT_HLT)
		die("a guest that is one HLT, made by one call, ended with exit reason %u on %s", m->run->exit_reason, device);
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

// Prints the medians of one line of the table. SREGS: made by one call, with these.
static struct life measure(int idle, const struct kvm_sregs *sregs)
{
	static uint64_t sample[STEPS][ROUNDS], whole[ROUNDS];
	uint64_t at[STEPS + 1];
	struct life life;

	for (int round = 0; round < ROUNDS; round++) {
		struct machine m;
		uint64_t made;

		if (sregs)
			begin_at_once(&m, at, sregs);
		else
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
	printf("%s%d idle VMs: life %llu, least %llu; medians:", sregs ? "by one call, " : "", idle, (unsigned long long)life.median, (unsigned long long)life.least);
	for (int step = 0; step < STEPS; step++)
		printf("%s %s %llu", step ? "," : "", names[step], (unsigned long long)median(sample[step]));
	printf("\n");
	return life;
}

// Beside one VM. 1: it costs too much.
static int judge_at_once(struct machine *other, struct life by_steps)
{
	struct kvm_sregs sregs;
	struct life life;

	if (ioctl(other->system_fd, KVM_CHECK_EXTENSION, LIKEX_CAP_CREATE) <= 0)
		return 0;
	must_ioctl(other, other->vcpu_fd, KVM_GET_SREGS, &sregs);
	life = measure(1, &sregs);
	if (life.median <= LIMIT_AT_ONCE && life.least < by_steps.least)
		return 0;
	printf("FAILED: made by one call a life takes %llu ticks, least %llu: more than %llu, or not less than by steps\n",
	       (unsigned long long)life.median, (unsigned long long)life.least, LIMIT_AT_ONCE);
	return 1;
}

static struct machine idle[MAX_IDLE];

// The last of some, so that caches are filled.
static void trace_one(int beside)
{
	uint64_t at[STEPS + 1];
	struct machine m;

	for (int i = 0; i < beside; i++)
		begin(&idle[i], at);
	for (int round = 0; round < ROUNDS; round++) {
		if (round == ROUNDS - 1)
			__asm__ volatile("xchgw %%bx, %%bx" ::: "memory");
		begin(&m, at);
		end(&m, at);
	}
	__asm__ volatile("xchgw %%bx, %%bx" ::: "memory");
}

int main(int argc, char **argv)
{
	static const int counts[] = { 0, 1, 100, MAX_IDLE };
	struct rlimit files = { MAX_IDLE * FILES_PER_VM + 64, MAX_IDLE * FILES_PER_VM + 64 };
	uint64_t at[STEPS + 1], of_one = 0;
	int made = 0, failed = 0, most = MAX_IDLE;
	bool traced = argc > 1 && !strcmp(argv[1], "-t");

	argc -= traced;
	argv += traced;
	if (argc == 3)
		most = atoi(argv[2]);
	if (argc < 2 || argc > 3 || argv[1][0] == '-' || most < 1 || most > MAX_IDLE) {
		fprintf(stderr, "usage: life [-t] DEVICE [IDLE]\n  IDLE: beside at most so many other VMs, 1 to %d. -t: one life beside them, traced.\n",
			MAX_IDLE);
		return 2;
	}
	device = argv[1];
	if (setrlimit(RLIMIT_NOFILE, &files))
		die_errno("cannot have %llu files open", (unsigned long long)files.rlim_cur);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die_errno("mmap of %d bytes of guest memory", MEMORY);
	memset(memory, 0xf4, MEMORY); // HLT
	if (traced) {
		trace_one(most);
		return 0;
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts) && counts[i] <= most; i++) {
		struct life life;

		while (made < counts[i])
			begin(&idle[made++], at);
		life = measure(made, NULL);
		if (life.median > LIMIT) {
			printf("FAILED: a life takes %llu ticks, more than %llu\n", (unsigned long long)life.median, LIMIT);
			failed = 1;
		}
		// The very first VM brings the processors into VMX operation, the last takes them out: what grows is counted from one
		// on. By the least, which no interrupt is in: the longer a life, the more of the host's timer would be counted with it.
		if (made == 1) {
			of_one = life.least;
			failed |= judge_at_once(&idle[0], life);
		}
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
