// SPDX-License-Identifier: MIT OR GPL-2.0-only
// VMMs that are killed (SIGKILL) in the midst of what they do, over and over: not one of their VMs may be left, nor may a VMM end otherwise.
#include "machine.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../kmod/include/uapi/likex.h"

enum { MEMORY = 0x10000, PAGE = 4096, VCPUS = 3, AFTER_US = 8000, PATIENCE = 200, POLL_US = 20000 };

static const char *device;
static uint8_t *memory;
// Shared by parent and child: the child has come to what it is killed in.
static atomic_int *busy;

static void begin(struct machine *m, const uint8_t *code, size_t size)
{
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die_errno("mmap of %d bytes of guest memory", MEMORY);
	memcpy(memory, code, size);
	machine_open(m, device);
	machine_add_memory(m, 0, 0, MEMORY, 0, memory);
}

// KVM_RUN for ever: whatever exit the guest has, it goes on.
static _Noreturn void run(struct machine *m, unsigned int id)
{
	struct machine own = *m;

	machine_add_vcpu(&own, id);
	machine_set_mode(&own, MODE_REAL16, NULL);
	for (;;) {
		machine_set_entry(&own, 0, 0x7000);
		*busy = 1;
		must_ioctl(&own, own.vcpu_fd, KVM_RUN, 0);
	}
}

struct vcpu { struct machine *m; unsigned int id; };

static void *run_thread(void *argument)
{
	struct vcpu *v = argument;

	run(v->m, v->id);
}

static void start_threads(struct machine *m)
{
	static struct vcpu vcpus[VCPUS];
	pthread_t thread;

	for (unsigned int i = 0; i < VCPUS; i++) {
		vcpus[i] = (struct vcpu){ m, i };
		if (pthread_create(&thread, NULL, run_thread, &vcpus[i]))
			die("cannot start a thread");
	}
}

static void spin(struct machine *m)
{
	begin(m, (uint8_t[]){ 0xfb, 0xeb, 0xfe }, 3); // sti; 1: jmp 1b
	run(m, 0);
}

static void spin_in_threads(struct machine *m)
{
	begin(m, (uint8_t[]){ 0xfb, 0xeb, 0xfe }, 3);
	start_threads(m);
	for (;;)
		pause();
}

static void halt(struct machine *m)
{
	begin(m, (uint8_t[]){ 0xf4 }, 1);
	run(m, 0);
}

static void leave_by_mmio(struct machine *m)
{
	begin(m, (uint8_t[]){ 0xb8, 0x00, 0xf0, 0x8e, 0xd8, 0xa3, 0xff, 0xff }, 8); // movw $0xf000, %ax; movw %ax, %ds; movw %ax, 0xffff: no slot there
	run(m, 0);
}

// Guests that use memory which is taken away meanwhile: never so that an access must fail (EFAULT).
static void lose_memory(struct machine *m)
{
	begin(m, (uint8_t[]){ 0xff, 0x06, 0x00, 0x40, 0xa1, 0x00, 0x50, 0xeb, 0xf7 }, 9); // 1: incw 0x4000; movw 0x5000, %ax; jmp 1b
	start_threads(m);
	for (;;) {
		madvise(memory + 0x4000, PAGE, MADV_DONTNEED);
		mprotect(memory + 0x5000, PAGE, PROT_READ);
		mprotect(memory + 0x5000, PAGE, PROT_READ | PROT_WRITE);
	}
}

static void create(struct machine *m)
{
	for (;;) {
		begin(m, (uint8_t[]){ 0xf4 }, 1);
		*busy = 1;
		machine_add_vcpu(m, 0);
		machine_close(m);
		munmap(memory, MEMORY);
	}
}

static void create_at_once(struct machine *m)
{
	begin(m, (uint8_t[]){ 0xf4 }, 1);
	for (;;) {
		struct likex_create c = {
			.size = sizeof(c), .memslots = 1, .memslot = { { .memory_size = MEMORY, .userspace_addr = (uintptr_t)memory } },
		};

		*busy = 1;
		must_ioctl(m, m->system_fd, LIKEX_CREATE, &c);
		close(c.created.vm_fd);
		close(c.created.vcpu_fd);
	}
}

static const struct { const char *name; void (*live)(struct machine *m); } kinds[] = {
	{ "a guest spins", spin },
	{ "guests of three vCPUs spin", spin_in_threads },
	{ "a guest halts", halt },
	{ "a guest leaves by MMIO", leave_by_mmio },
	{ "guests' memory is taken away", lose_memory },
	{ "VMs are made and closed", create },
	{ "VMs are made by one call and closed", create_at_once },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

// VMs that the module still has.
static int vms_left(void)
{
	FILE *file = fopen(LIKEX_EPT_PATH, "r");
	char line[256];
	int count = 0;

	if (!file)
		die_errno("cannot read %s (is debugfs mounted, are you root?)", LIKEX_EPT_PATH);
	while (fgets(line, sizeof(line), file))
		count += !strncmp(line, "vm ", 3);
	fclose(file);
	return count;
}

static void kill_one(int kind, unsigned int after_us)
{
	struct machine m;
	int status;
	pid_t child;

	*busy = 0;
	child = fork();
	if (child < 0)
		die_errno("fork");
	if (child == 0)
		kinds[kind].live(&m);
	// Each third at a moment of its beginning.
	for (int i = 0; after_us % 3 && !*busy && i < PATIENCE && !waitpid(child, &status, WNOHANG); i++)
		usleep(500);
	usleep(after_us);
	kill(child, SIGKILL);
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		die("%s: the VMM ended before it was killed (wait status %#x)", kinds[kind].name, status);
}

int main(int argc, char **argv)
{
	int times = argc == 3 ? atoi(argv[2]) : 0, left;

	if (times < 1 || argv[1][0] == '-') {
		fprintf(stderr, "usage: kill_vmm DEVICE TIMES\n");
		return 2;
	}
	device = argv[1];
	busy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (busy == MAP_FAILED)
		die_errno("mmap of a page");
	srandom(1);
	for (int i = 0; i < times; i++)
		kill_one(i % KINDS, random() % AFTER_US);
	// A file's end may come a little after its process's.
	left = vms_left();
	for (int i = 0; left && i < PATIENCE; i++) {
		usleep(POLL_US);
		left = vms_left();
	}
	if (left) {
		printf("FAILED: %d VMs are left of VMMs that were killed\n", left);
		return 1;
	}
	printf("%d VMMs killed in %d ways, no VM left\n", times, KINDS);
	return 0;
}
