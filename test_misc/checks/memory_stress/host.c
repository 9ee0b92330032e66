// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The host's side: what it does to memory that it gives a guest. Some of it keeps the contents, and then no store may be lost;
// some brings other contents, and then the old ones may not be seen any more.
#include "stress.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

// IN_ONE: anonymous memory that stays one mapping of the host, which a huge page can take the place of at any time.
enum area_kind { ANONYMOUS, IN_ONE, PRIVATE_FILE, SHARED_FILE };
enum { ALL = 1 << ANONYMOUS | 1 << IN_ONE | 1 << PRIVATE_FILE | 1 << SHARED_FILE };

struct area {
	enum area_kind kind;
	uint8_t *at;
	volatile uint64_t *announced;
	uint32_t first_page;		// of all tested ones
	int fd;				// of files; SHARED_FILE: of twice the size, of which each page is mapped from the one half or the other
	bool upper[AREA_PAGES];
	pthread_t thread;
	uint64_t random;
};

static struct area areas[AREAS] = { { .kind = ANONYMOUS }, { .kind = IN_ONE }, { .kind = PRIVATE_FILE }, { .kind = SHARED_FILE } };

// A hole that one thread has made must not be filled by another's mmap.
static pthread_mutex_t holes = PTHREAD_MUTEX_INITIALIZER;

static uint32_t random_below(struct area *a, uint32_t bound)
{
	a->random = a->random * 6364136223846793005ull + 1442695040888963407ull;
	return (a->random >> 33) % bound;
}

static uint64_t *words(struct area *a, uint32_t page)
{
	return (uint64_t *)(a->at + (size_t)page * PAGE);
}

static void let_guest_run(struct area *a)
{
	usleep(random_below(a, 300));
}

// The more is done the longer the vCPUs wait for the host's own locks: between two changes of an area they do so many accesses, or
// as many as they can in a while.
enum { ACCESSES_BETWEEN = 2000, TURNS_BETWEEN = 400 };

static void let_guest_come_round(struct area *a)
{
	unsigned long before = accesses;

	for (int i = 0; i < TURNS_BETWEEN && accesses - before < ACCESSES_BETWEEN && !stop; i++)
		let_guest_run(a);
}

static uint64_t next_version(struct area *a, uint32_t page)
{
	return version_of(a->first_page + page, (uint32_t)a->announced[page] + 1);
}

static void expect_zeros(struct area *a, uint32_t first, uint32_t count)
{
	for (uint32_t p = first; p < first + count; p++)
		a->announced[p] |= ZERO_TOO;
	atomic_thread_fence(memory_order_seq_cst);
}

static void announce(struct area *a, uint32_t first, uint32_t count)
{
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t p = first; p < first + count; p++)
		a->announced[p] = (uint32_t)a->announced[p] + 1;
}

static void write_versions(struct area *a, uint32_t first, uint32_t count)
{
	for (uint32_t p = first; p < first + count; p++)
		*(volatile uint64_t *)words(a, p) = next_version(a, p);
}

static void must(bool good, const char *what)
{
	if (!good)
		die_errno("%s", what);
}

static off_t offset_of(const struct area *a, uint32_t page)
{
	return (off_t)(page + (a->upper[page] ? AREA_PAGES : 0)) * PAGE;
}

static void map_again(struct area *a, uint32_t first, uint32_t count)
{
	int flags = a->kind == ANONYMOUS || a->kind == IN_ONE ? MAP_PRIVATE | MAP_ANONYMOUS : a->kind == PRIVATE_FILE ? MAP_PRIVATE : MAP_SHARED;
	uint8_t *at = a->at + (size_t)first * PAGE;

	if (a->kind != SHARED_FILE) {
		must(mmap(at, (size_t)count * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, a->fd, (off_t)first * PAGE) == at, "mmap");
		return;
	}
	for (uint32_t p = first; p < first + count; p++, at += PAGE)
		must(mmap(at, PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, a->fd, offset_of(a, p)) == at, "mmap");
}

// What changes the contents.

static void bump(struct area *a, uint32_t first, uint32_t count)
{
	write_versions(a, first, count);
	announce(a, first, count);
}

static void discard(struct area *a, uint32_t first, uint32_t count)
{
	expect_zeros(a, first, count);
	if (a->kind == SHARED_FILE)
		for (uint32_t p = first; p < first + count; p++)
			must(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset_of(a, p), PAGE), "a hole");
	else
		must(!madvise(words(a, first), (size_t)count * PAGE, MADV_DONTNEED), "MADV_DONTNEED");
	write_versions(a, first, count);
	announce(a, first, count);
}

static void unmap(struct area *a, uint32_t first, uint32_t count)
{
	expect_zeros(a, first, count);
	pthread_mutex_lock(&holes);
	must(!munmap(words(a, first), (size_t)count * PAGE), "munmap");
	let_guest_run(a);
	map_again(a, first, count);
	pthread_mutex_unlock(&holes);
	write_versions(a, first, count);
	announce(a, first, count);
}

// Aligned like the area, so that pages of 2 MiB can move as they are.
static uint8_t *fresh_area(void)
{
	uint8_t *map, *at;

	pthread_mutex_lock(&holes);
	map = mmap(NULL, 2 * AREA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(map != MAP_FAILED, "mmap");
	at = (uint8_t *)(((uintptr_t)map + AREA_SIZE - 1) & -(uintptr_t)AREA_SIZE);
	if (at > map)
		munmap(map, at - map);
	if (at < map + AREA_SIZE)
		munmap(at + AREA_SIZE, map + AREA_SIZE - at);
	pthread_mutex_unlock(&holes);
	return at;
}

// Pages that are ready take the place of those before, at once.
static void exchange(struct area *a, uint32_t first, uint32_t count)
{
	size_t start = (size_t)first * PAGE, size = (size_t)count * PAGE;
	uint8_t *fresh = fresh_area();

	for (uint32_t p = first; p < first + count; p++)
		*(uint64_t *)(fresh + (size_t)p * PAGE) = next_version(a, p);
	must(mremap(fresh + start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, a->at + start) == a->at + start, "mremap");
	announce(a, first, count);
	// What is left of it; a hole in between is no error of munmap, but might be another's mapping by now.
	if (start)
		munmap(fresh, start);
	if (start + size < AREA_SIZE)
		munmap(fresh + start + size, AREA_SIZE - start - size);
}

// Other pages of the same file.
static void remap(struct area *a, uint32_t first, uint32_t count)
{
	for (uint32_t p = first; p < first + count; p++) {
		uint64_t version = next_version(a, p);

		a->upper[p] = !a->upper[p];
		must(pwrite(a->fd, &version, sizeof(version), offset_of(a, p)) == sizeof(version), "pwrite");
	}
	map_again(a, first, count);
	announce(a, first, count);
}

static void rewrite(struct area *a, uint32_t first, uint32_t count)
{
	for (uint32_t p = first; p < first + count; p++) {
		uint64_t version = next_version(a, p);

		must(pwrite(a->fd, &version, sizeof(version), offset_of(a, p)) == sizeof(version), "pwrite");
	}
	announce(a, first, count);
}

static void truncated(struct area *a, uint32_t first, uint32_t count)
{
	(void)first, (void)count;
	expect_zeros(a, 0, AREA_PAGES);
	must(!ftruncate(a->fd, 0), "ftruncate");
	let_guest_run(a);
	must(!ftruncate(a->fd, 2 * AREA_SIZE), "ftruncate");
	write_versions(a, 0, AREA_PAGES);
	announce(a, 0, AREA_PAGES);
}

// What keeps them.

static void wrong(struct area *a, uint32_t page, const char *what)
{
	printf("FAIL\tpage %u of area %zu %s\n", page, (size_t)(a - areas), what);
	failed = stop = true;
}

static void read_only(struct area *a, uint32_t first, uint32_t count)
{
	static _Thread_local uint64_t before[AREA_PAGES][VCPUS];

	must(!mprotect(words(a, first), (size_t)count * PAGE, PROT_READ), "mprotect");
	for (uint32_t p = first; p < first + count; p++)
		memcpy(before[p], words(a, p) + 1, sizeof(before[p]));
	let_guest_run(a);
	for (uint32_t p = first; p < first + count; p++)
		if (memcmp(before[p], words(a, p) + 1, sizeof(before[p])))
			wrong(a, p, "was written to while it was read-only");
	must(!mprotect(words(a, first), (size_t)count * PAGE, PROT_READ | PROT_WRITE), "mprotect");
}

static void hidden(struct area *a, uint32_t first, uint32_t count)
{
	must(!mprotect(words(a, first), (size_t)count * PAGE, PROT_NONE), "mprotect");
	let_guest_run(a);
	must(!mprotect(words(a, first), (size_t)count * PAGE, PROT_READ | PROT_WRITE), "mprotect");
}

// Without swap or with pages that are busy it does nothing.
static void page_out(struct area *a, uint32_t first, uint32_t count)
{
	madvise(words(a, first), (size_t)count * PAGE, MADV_PAGEOUT);
}

static void collapse(struct area *a, uint32_t first, uint32_t count)
{
	(void)first, (void)count;
	madvise(a->at, AREA_SIZE, MADV_COLLAPSE);
}

// The kernel's own door for tests: all huge pages of a range.
static void split(struct area *a, uint32_t first, uint32_t count)
{
	int fd = open("/sys/kernel/debug/split_huge_pages", O_WRONLY | O_CLOEXEC);
	char text[80];

	(void)first, (void)count;
	if (fd < 0)
		return;

	int size = snprintf(text, sizeof(text), "%d,%#lx,%#lx", getpid(), (unsigned long)a->at, (unsigned long)a->at + AREA_SIZE);

	if (write(fd, text, size) < 0) {
		// Busy pages: another time.
	}
	close(fd);
}

static void refault(struct area *a, uint32_t first, uint32_t count)
{
	must(!madvise(words(a, first), (size_t)count * PAGE, MADV_DONTNEED), "MADV_DONTNEED");
}

static uint64_t sum_of(struct area *a, uint32_t first, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t p = first; p < first + count; p++)
		for (int i = 0; i <= VCPUS; i++)
			sum = sum * 31 + *(volatile uint64_t *)(words(a, p) + i);
	return sum;
}

// A child sees the moment it was made in for as long as it lives.
static void forked(struct area *a, uint32_t first, uint32_t count)
{
	int status = 0;
	pid_t child = fork();

	must(child >= 0, "fork");
	if (!child) {
		uint64_t sum = sum_of(a, first, count);

		usleep(1000);
		_exit(sum_of(a, first, count) != sum);
	}
	must(waitpid(child, &status, 0) == child, "waitpid");
	if (status)
		wrong(a, first, "changed in a child");
}

// Each with the kinds of memory that it is for.
static struct operation {
	const char *name;
	void (*run)(struct area *a, uint32_t first, uint32_t count);
	unsigned int kinds;
	int rarer;	// of so many times that its turn comes it is done once
	atomic_uint done;
} operations[] = {
	{ "version written", bump, ALL, 1, 0 },
	{ "discarded (MADV_DONTNEED, hole)", discard, ALL, 1, 0 },
	{ "munmap, mmap", unmap, ALL & ~(1 << IN_ONE), 1, 0 },
	{ "exchanged (mremap)", exchange, 1 << ANONYMOUS | 1 << PRIVATE_FILE, 1, 0 },
	{ "other pages of the file", remap, 1 << SHARED_FILE, 1, 0 },
	{ "file written", rewrite, 1 << SHARED_FILE, 1, 0 },
	{ "file truncated", truncated, 1 << SHARED_FILE, 8, 0 },
	{ "read-only (mprotect)", read_only, ALL, 1, 0 },
	{ "no access (mprotect)", hidden, ALL, 1, 0 },
	{ "mapped anew (MADV_DONTNEED)", refault, 1 << SHARED_FILE, 1, 0 },
	{ "reclaim asked for (MADV_PAGEOUT)", page_out, ALL, 1, 0 },
	{ "huge page asked for (MADV_COLLAPSE)", collapse, 1 << ANONYMOUS | 1 << IN_ONE, 1, 0 },
	{ "split of huge pages asked for", split, 1 << ANONYMOUS | 1 << IN_ONE, 2, 0 },
	{ "fork", forked, ALL & ~(1 << SHARED_FILE), 8, 0 },
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static void *work(void *argument)
{
	struct area *a = argument;

	while (!stop) {
		struct operation *o = &operations[random_below(a, OPERATIONS)];
		uint32_t first = random_below(a, AREA_PAGES), count = 1 + random_below(a, random_below(a, 4) ? 4 : 32);

		if (random_below(a, 32) == 0)
			first = 0, count = AREA_PAGES;
		if (count > AREA_PAGES - first)
			count = AREA_PAGES - first;
		if (!(o->kinds & 1u << a->kind) || random_below(a, o->rarer))
			continue;
		o->run(a, first, count);
		o->done++;
		let_guest_come_round(a);
	}
	return NULL;
}

void host_place(struct machine *m, struct memory *memory)
{
	for (int i = 0; i < AREAS; i++) {
		struct area *a = &areas[i];

		a->random = i + 1;
		a->first_page = i * AREA_PAGES;
		a->announced = memory->announced + a->first_page;
		a->at = memory->area[i] = fresh_area();
		a->fd = -1;
		if (a->kind == PRIVATE_FILE || a->kind == SHARED_FILE) {
			a->fd = memfd_create("memory_stress", MFD_CLOEXEC);
			must(a->fd >= 0 && !ftruncate(a->fd, 2 * AREA_SIZE), "memfd_create");
			map_again(a, 0, AREA_PAGES);
		}
		bump(a, 0, AREA_PAGES);
		machine_add_memory(m, 1 + i, TESTED_BASE + i * AREA_SIZE, AREA_SIZE, 0, a->at);
	}
}

void host_start(void)
{
	for (int i = 0; i < AREAS; i++)
		if (pthread_create(&areas[i].thread, NULL, work, &areas[i]))
			die("cannot start a thread for an area");
}

void host_join(void)
{
	for (int i = 0; i < AREAS; i++)
		pthread_join(areas[i].thread, NULL);
}

void host_report(void)
{
	for (int i = 0; i < OPERATIONS; i++)
		printf("%8u  %s\n", operations[i].done, operations[i].name);
}
