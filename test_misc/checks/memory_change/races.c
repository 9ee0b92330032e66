// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Memory and slots that change while a vCPU's thread runs. Each change brings a new generation to the tested page and is
// announced in another page afterwards. The guest reads the announcement, then the tested page: what it finds there must
// not be older.
#include "subject.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CODE = 0x1000, ANNOUNCED = 0x3000, GENERATIONS = 100, PORT_LAP = 0x80, PORT_STALE = 0x81, NEWEST = 0x7fffffff };

// %ebx: the announcement (generation, whether 0 counts as new, whether the guest stores), %esi: the tested page.
// Where word 2 of the announcement says so, the guest also counts in the tested page's word 1. IF is set and each 256 laps there is an exit.
extern const uint8_t race_begin[], race_end[];
__asm__(".pushsection .rodata\n"
	".code32\n"
	"race_begin:\n"
	"	sti\n"
	"1:	movl (%ebx), %edx\n"
	"	movl (%esi), %eax\n"
	"	cmpl %edx, %eax\n"
	"	jae 2f\n"
	"	testl %eax, %eax\n"
	"	jnz 3f\n"
	"	cmpl $0, 4(%ebx)\n"
	"	jne 2f\n"
	"3:	outl %eax, $0x81\n"
	"2:	cmpl $0, 8(%ebx)\n"
	"	je 4f\n"
	"	movl %ecx, 4(%esi)\n"
	"4:	incl %ecx\n"
	"	testb %cl, %cl\n"
	"	jnz 1b\n"
	"	outl %eax, $0x80\n"
	"	jmp 1b\n"
	"race_end:\n"
	".code64\n"
	".popsection\n");

struct race {
	struct subject s;
	volatile uint32_t *announced;	// generation, whether 0 is new, whether the guest stores
	pthread_t thread;
	atomic_bool stop;
	atomic_uint laps, faults, mmios, stale;
	atomic_int error;
	uint32_t seen;
};

static void *run_guest(void *argument)
{
	struct race *r = argument;
	struct kvm_run *run = r->s.m.run;

	while (!r->stop) {
		if (ioctl(r->s.m.vcpu_fd, KVM_RUN, 0)) {
			if (errno == EFAULT) {
				r->faults++;
				sched_yield();
				continue;
			}
			if (errno == EINTR)
				continue;
			r->error = errno;
			return NULL;
		}
		if (run->exit_reason == KVM_EXIT_MMIO) {
			uint32_t newest = NEWEST;

			r->mmios++;
			if (!run->mmio.is_write)
				memcpy(run->mmio.data, &newest, sizeof(newest));
		} else if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_LAP) {
			r->laps++;
		} else if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_STALE) {
			memcpy(&r->seen, (char *)run + run->io.data_offset, 4);
			r->stale++;
		} else {
			r->error = 1000 + run->exit_reason;
			return NULL;
		}
	}
	return NULL;
}

// Starts the guest; it has gone round at least once when this returns.
static void start(struct race *r, const char *device, void *tested, bool zero_is_new, bool stores)
{
	struct kvm_regs regs = { .rip = CODE, .rbx = ANNOUNCED, .rsi = TESTED_BASE, .rflags = 2 };
	uint8_t *low;

	memset(r, 0, sizeof(*r));
	machine_open(&r->s.m, device);
	low = machine_add_memory(&r->s.m, 0, 0, 0x4000, 0, NULL);
	memcpy(low + CODE, race_begin, race_end - race_begin);
	r->announced = (uint32_t *)(low + ANNOUNCED);
	r->announced[1] = zero_is_new;
	r->announced[2] = stores;
	r->s.tested = machine_add_memory(&r->s.m, TESTED_SLOT, TESTED_BASE, TESTED_SIZE, 0, tested);
	machine_add_vcpu(&r->s.m, 0);
	machine_set_mode(&r->s.m, MODE_PROTECTED32, NULL);
	must_ioctl(&r->s.m, r->s.m.vcpu_fd, KVM_SET_REGS, &regs);
	if (pthread_create(&r->thread, NULL, run_guest, r))
		die("cannot start a thread");
}

// Waits until the guest has gone on: laps, faults or MMIO.
static void let_run(struct race *r)
{
	unsigned int before = r->laps + r->faults + r->mmios;

	for (int i = 0; i < 100000 && !r->error && r->laps + r->faults + r->mmios == before; i++)
		usleep(20);
}

static void announce(struct race *r, uint32_t generation)
{
	atomic_thread_fence(memory_order_seq_cst);
	r->announced[0] = generation;
	let_run(r);
}

static void finish(struct race *r, struct check *c)
{
	let_run(r);
	r->stop = true;
	pthread_join(r->thread, NULL);
	if (r->stale)
		printf("\tthe guest found generation %u after a newer one had been announced, %u times\n", r->seen, r->stale);
	if (r->error)
		printf("\tKVM_RUN ended by %s %d\n", r->error >= 1000 ? "exit reason" : "errno", r->error % 1000);
	CHECK(c, !r->stale);
	CHECK(c, !r->error);
	CHECK(c, r->laps + r->faults + r->mmios > 0);
	subject_close(&r->s);
}

static uint32_t *anonymous(void)
{
	void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		die_errno("mmap of a page");
	return map;
}

// Takes the page that was freed last, most likely, and fills it with what looks old: who still reads that page is found out.
static uint32_t *take_freed_page(void)
{
	uint32_t *page = anonymous();

	*page = 1;
	return page;
}

// A page that is ready takes the place of the one before, at once.
static const char *exchanged(struct check *c, const char *device)
{
	static struct race r;

	start(&r, device, NULL, false, false);
	for (uint32_t g = 1; g <= GENERATIONS; g++) {
		uint32_t *page = anonymous();

		*page = g;
		if (mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, r.s.tested) != r.s.tested)
			die_errno("mremap");
		announce(&r, g);
	}
	finish(&r, c);
	CHECK(c, r.laps > 0);
	return NULL;
}

// The page goes to another one of a memfd.
static const char *remapped(struct check *c, const char *device)
{
	static struct race r;
	int fd = memfd_create("memory_change", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (GENERATIONS + 1) * PAGE))
		die_errno("memfd_create");
	start(&r, device, NULL, false, false);
	for (uint32_t g = 1; g <= GENERATIONS; g++) {
		if (pwrite(fd, &g, sizeof(g), g * PAGE) != sizeof(g))
			die_errno("pwrite");
		if (mmap(r.s.tested, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, g * PAGE) != r.s.tested)
			die_errno("mmap over the tested page");
		announce(&r, g);
	}
	finish(&r, c);
	CHECK(c, r.laps > 0);
	close(fd);
	return NULL;
}

// Discarded and written again; the guest may find 0 in between.
static const char *discarded(struct check *c, const char *device)
{
	static struct race r;

	start(&r, device, NULL, true, false);
	for (uint32_t g = 1; g <= GENERATIONS; g++) {
		madvise(r.s.tested, PAGE, MADV_DONTNEED);

		uint32_t *freed = take_freed_page();

		*(volatile uint32_t *)r.s.tested = g;
		announce(&r, g);
		munmap(freed, PAGE);
	}
	finish(&r, c);
	return NULL;
}

static const char *unmapped(struct check *c, const char *device)
{
	static struct race r;

	start(&r, device, NULL, true, false);
	for (uint32_t g = 1; g <= GENERATIONS; g++) {
		munmap(r.s.tested, PAGE);

		uint32_t *freed = take_freed_page();

		let_run(&r);
		if (mmap(r.s.tested, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != r.s.tested)
			die_errno("mmap over the tested page");
		*(volatile uint32_t *)r.s.tested = g;
		announce(&r, g);
		munmap(freed, PAGE);
	}
	finish(&r, c);
	CHECK(c, r.faults > 0);
	return NULL;
}

static const char *truncated(struct check *c, const char *device)
{
	static struct race r;
	int fd = memfd_create("memory_change", MFD_CLOEXEC);
	void *map;

	if (fd < 0 || ftruncate(fd, TESTED_SIZE))
		die_errno("memfd_create");
	map = mmap(NULL, TESTED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	start(&r, device, map, true, false);
	for (uint32_t g = 1; g <= GENERATIONS; g++) {
		if (ftruncate(fd, 0))
			die_errno("ftruncate");

		uint32_t *freed = take_freed_page();

		let_run(&r);
		if (ftruncate(fd, TESTED_SIZE) || pwrite(fd, &g, sizeof(g), 0) != sizeof(g))
			die_errno("ftruncate");
		announce(&r, g);
		munmap(freed, PAGE);
	}
	finish(&r, c);
	CHECK(c, r.faults > 0);
	munmap(map, TESTED_SIZE);
	close(fd);
	return NULL;
}

// The guest stores all the time; while the page is read-only nothing may change in it.
static const char *protected(struct check *c, const char *device)
{
	static struct race r;
	volatile uint32_t *counter;

	start(&r, device, NULL, false, true);
	counter = (volatile uint32_t *)r.s.tested + 1;
	for (uint32_t g = 1; g <= GENERATIONS; g++) {
		mprotect(r.s.tested, PAGE, PROT_READ);

		uint32_t before = *counter;

		let_run(&r);
		CHECK(c, *counter == before);
		mprotect(r.s.tested, PAGE, PROT_READ | PROT_WRITE);
		*(volatile uint32_t *)r.s.tested = g;
		announce(&r, g);
	}
	finish(&r, c);
	CHECK(c, r.faults > 0);
	return NULL;
}

// Children are made and end while guest and parent write to the page; each child sees it frozen.
static const char *forked(struct check *c, const char *device)
{
	static struct race r;

	start(&r, device, NULL, false, true);
	for (uint32_t g = 1; g <= GENERATIONS / 4; g++) {
		volatile uint32_t *word = (volatile uint32_t *)r.s.tested;
		int status;

		fflush(stdout);

		pid_t child = fork();

		if (child < 0)
			die_errno("fork");
		if (!child) {
			uint32_t before = word[1];

			usleep(300);
			_exit(word[1] == before && word[0] == g - 1 ? 0 : 1);
		}
		word[0] = g;
		announce(&r, g);
		waitpid(child, &status, 0);
		CHECK(c, WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	finish(&r, c);
	CHECK(c, r.laps > 0);
	return NULL;
}

// The slot is deleted and made again with other memory while the vCPU runs: MMIO in between, then the new memory.
static const char *slot_replaced(struct check *c, const char *device)
{
	static struct race r;
	uint32_t *pages[2] = { anonymous(), anonymous() };

	start(&r, device, NULL, false, false);
	for (uint32_t g = 1; g <= GENERATIONS; g++) {
		uint32_t *page = pages[g & 1];

		*page = g;
		machine_add_memory(&r.s.m, TESTED_SLOT, TESTED_BASE, 0, 0, page);
		machine_add_memory(&r.s.m, TESTED_SLOT, TESTED_BASE, PAGE, 0, page);
		announce(&r, g);
	}
	finish(&r, c);
	CHECK(c, r.laps > 0);
	return NULL;
}

// Two slots of one page each change places over the tested address.
static const char *slot_moved(struct check *c, const char *device)
{
	static struct race r;
	uint32_t *pages[2] = { anonymous(), anonymous() };
	const uint64_t away[2] = { 0x400000, 0x500000 };

	start(&r, device, NULL, false, false);
	machine_add_memory(&r.s.m, TESTED_SLOT, TESTED_BASE, 0, 0, r.s.tested);
	for (int i = 0; i < 2; i++)
		machine_add_memory(&r.s.m, 2 + i, away[i], PAGE, 0, pages[i]);
	for (uint32_t g = 1; g <= GENERATIONS; g++) {
		int coming = g & 1, going = !coming;

		*pages[coming] = g;
		machine_add_memory(&r.s.m, 2 + going, away[going], PAGE, 0, pages[going]);
		machine_add_memory(&r.s.m, 2 + coming, TESTED_BASE, PAGE, 0, pages[coming]);
		announce(&r, g);
	}
	finish(&r, c);
	CHECK(c, r.laps > 0);
	return NULL;
}

const struct test_case race_cases[] = {
	{ "running: page exchanged by mremap", exchanged },
	{ "running: page mapped over", remapped },
	{ "running: MADV_DONTNEED", discarded },
	{ "running: munmap and mmap", unmapped },
	{ "running: memfd truncated", truncated },
	{ "running: mprotect", protected },
	{ "running: fork", forked },
	{ "running: slot replaced", slot_replaced },
	{ "running: slot moved", slot_moved },
	{ NULL, NULL },
};
