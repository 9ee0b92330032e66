// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Huge pages of the host: the guest has each by one entry of its page tables, as long as the host has it so, and again when it has it so again.
#include "subject.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HUGE = 0x200000, WORDS = HUGE / PAGE, BASE = 0x400000, COLLAPSE = 25 };

#define WORD(AREA, PAGES) (*(volatile uint32_t *)((AREA) + (PAGES) * PAGE))
#define GPA(PAGES) (BASE + (PAGES) * PAGE)
// What the pages begin with.
#define FIRST(PAGES) (1000u + (PAGES))

// The level of the entry that maps an address in this process's one VM, 0 where none does. -1: the device doesn't show its page tables.
static int level_of(uint64_t gpa)
{
	FILE *file = fopen("/sys/kernel/debug/likex/ept", "r");
	int level = 0, pid = 0;
	char line[200];

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		uint64_t first, pages;
		unsigned int entry;

		sscanf(line, "vm %*u pid %d", &pid);
		if (pid != getpid() || sscanf(line, "leaf %u %" SCNx64 " %" SCNu64, &entry, &first, &pages) != 3)
			continue;
		if (gpa >= first && gpa - first < pages << (12 + 9 * (entry - 1)))
			level = entry;
	}
	fclose(file);
	return level;
}

#define CHECK_LEVEL(C, PAGES, LEVEL) do { int level = level_of(GPA(PAGES)); CHECK(C, level == (LEVEL) || level == -1); } while (0)

// HUGE bytes at a multiple of it, where nothing is mapped.
static uint8_t *room(void)
{
	uint8_t *area = mmap(NULL, 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		die_errno("mmap of %d bytes", 2 * HUGE);
	munmap(area, 2 * HUGE);
	return (uint8_t *)(((uintptr_t)area + HUGE - 1) & -(uintptr_t)HUGE);
}

static uint8_t *map(int fd, int flags)
{
	uint8_t *area = mmap(room(), HUGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);

	return area == MAP_FAILED ? NULL : area;
}

// A setting of the kernel's; false where there is none.
static bool set(const char *file, const char *value)
{
	FILE *f = fopen(file, "w");
	bool done = f && fputs(value, f) >= 0;

	return f && fclose(f) == 0 && done;
}

// Anonymous memory that the kernel backs by a huge page. (Where it has little memory it must be told to.)
static uint8_t *map_huge(void)
{
	uint8_t *area = NULL;

	if (set("/sys/kernel/mm/transparent_hugepage/enabled", "madvise\n"))
		area = map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
	return area && madvise(area, HUGE, MADV_HUGEPAGE) == 0 ? area : NULL;
}

static void fill(uint8_t *area)
{
	for (int i = 0; i < WORDS; i++)
		WORD(area, i) = FIRST(i);
}

static void open_on(struct subject *s, const char *device, uint8_t *area)
{
	subject_open(s, device, NULL);
	machine_add_memory(&s->m, 2, BASE, HUGE, 0, area);
}

// After one access the guest has all of it, in order.
static void all_at_once(struct check *c, struct subject *s, uint8_t *area)
{
	fill(area);
	CHECK_VALUE(c, guest_load(s, GPA(37)), FIRST(37));
	CHECK_LEVEL(c, 0, 2);
	for (int i = 0; i < WORDS; i++)
		CHECK_VALUE(c, guest_load(s, GPA(i)), FIRST(i));
	CHECK_DONE(c, guest_store(s, GPA(511), 7));
	CHECK(c, WORD(area, 511) == 7);
	CHECK_LEVEL(c, 511, 2);
}

// Every page but one is as it was filled.
static void others_stay(struct check *c, struct subject *s, int changed)
{
	for (int i = changed % 8 ? 0 : 1; i < WORDS - 1; i += 8)
		CHECK_VALUE(c, guest_load(s, GPA(i)), FIRST(i));
}

static void collapse(struct check *c, struct subject *s, uint8_t *area)
{
	CHECK(c, madvise(area, HUGE, COLLAPSE) == 0);
	CHECK_VALUE(c, guest_load(s, GPA(100)), FIRST(100));
	CHECK_LEVEL(c, 100, 2);
}

static const char *transparent(struct check *c, const char *device)
{
	uint8_t *area = map_huge();
	struct subject s;

	if (!area)
		return "the kernel has no transparent huge pages";
	open_on(&s, device, area);
	all_at_once(c, &s, area);

	madvise(area + 5 * PAGE, PAGE, MADV_DONTNEED);
	CHECK_VALUE(c, guest_load(&s, GPA(5)), 0);
	CHECK_LEVEL(c, 5, 1);
	others_stay(c, &s, 5);
	collapse(c, &s, area);

	mprotect(area + 9 * PAGE, PAGE, PROT_READ);
	CHECK_VALUE(c, guest_load(&s, GPA(9)), FIRST(9));
	CHECK_EFAULT(c, guest_store(&s, GPA(9), 1));
	CHECK_DONE(c, guest_store(&s, GPA(10), FIRST(10)));
	others_stay(c, &s, 9);
	mprotect(area + 9 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	collapse(c, &s, area);
	CHECK_DONE(c, guest_store(&s, GPA(9), FIRST(9)));

	munmap(area + 13 * PAGE, PAGE);
	CHECK_EFAULT(c, guest_load(&s, GPA(13)));
	CHECK_EFAULT(c, guest_store(&s, GPA(13), 1));
	others_stay(c, &s, 13);
	subject_close(&s);
	munmap(area, HUGE);
	return NULL;
}

// Nobody has written: the huge zero page, which no guest may write to.
static const char *zero_page(struct check *c, const char *device)
{
	uint8_t *area = map_huge();
	struct subject s;

	if (!area)
		return "the kernel has no transparent huge pages";
	open_on(&s, device, area);
	CHECK_VALUE(c, guest_load(&s, GPA(3)), 0);
	CHECK_DONE(c, guest_store(&s, GPA(3), 1));
	CHECK(c, WORD(area, 3) == 1);
	WORD(area, 4) = 2;
	CHECK_VALUE(c, guest_load(&s, GPA(4)), 2);
	CHECK_VALUE(c, guest_load(&s, GPA(5)), 0);
	subject_close(&s);
	munmap(area, HUGE);

	// Who else has it sees zeroes still.
	area = map_huge();
	CHECK(c, WORD(area, 3) == 0 && WORD(area, 4) == 0);
	munmap(area, HUGE);
	return NULL;
}

// The child has the memory as it was at the fork, the guest goes on with the parent's.
static void share_by_fork(struct check *c, struct subject *s, uint8_t *area)
{
	int to_child[2], status;
	char token = 0;
	pid_t child;

	if (pipe(to_child))
		die_errno("pipe");
	fflush(stdout);
	child = fork();
	if (child < 0)
		die_errno("fork");
	if (!child)
		_exit(!(read(to_child[0], &token, 1) == 1 && WORD(area, 20) == FIRST(20) && WORD(area, 21) == FIRST(21)));
	CHECK_VALUE(c, guest_load(s, GPA(20)), FIRST(20));
	CHECK_DONE(c, guest_store(s, GPA(20), 1));
	CHECK(c, WORD(area, 20) == 1);
	WORD(area, 21) = 2;
	CHECK_VALUE(c, guest_load(s, GPA(21)), 2);
	CHECK_VALUE(c, guest_load(s, GPA(22)), FIRST(22));
	CHECK(c, write(to_child[1], &token, 1) == 1);
	waitpid(child, &status, 0);
	CHECK(c, WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(to_child[0]);
	close(to_child[1]);
}

static const char *forked(struct check *c, const char *device)
{
	uint8_t *area = map_huge();
	struct subject s;

	if (!area)
		return "the kernel has no transparent huge pages";
	open_on(&s, device, area);
	all_at_once(c, &s, area);
	share_by_fork(c, &s, area);
	WORD(area, 20) = FIRST(20);
	collapse(c, &s, area);
	subject_close(&s);
	munmap(area, HUGE);
	return NULL;
}

static const char *reserved(struct check *c, const char *device)
{
	uint8_t *area;
	struct subject s;

	// One more for the copy that a fork makes.
	if (!set("/proc/sys/vm/nr_hugepages", "2\n"))
		return "no /proc/sys/vm/nr_hugepages here";
	area = map(-1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);
	if (!area)
		return "the kernel has no 2 MiB left";
	open_on(&s, device, area);
	all_at_once(c, &s, area);
	share_by_fork(c, &s, area);
	CHECK(c, madvise(area, HUGE, MADV_DONTNEED) == 0);
	CHECK_VALUE(c, guest_load(&s, GPA(20)), 0);
	all_at_once(c, &s, area);
	munmap(area, HUGE);
	CHECK_EFAULT(c, guest_load(&s, GPA(20)));
	subject_close(&s);
	set("/proc/sys/vm/nr_hugepages", "0\n");
	return NULL;
}

static const char *of_a_file(struct check *c, const char *device)
{
	int fd = memfd_create("large", MFD_CLOEXEC);
	struct subject s;
	uint8_t *area;

	if (!set("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "advise\n"))
		return "the kernel has no huge pages for files in memory";
	if (fd < 0 || ftruncate(fd, HUGE))
		die_errno("memfd_create");
	area = map(fd, MAP_SHARED);
	if (!area || madvise(area, HUGE, MADV_HUGEPAGE))
		die_errno("a memfd with huge pages");
	open_on(&s, device, area);
	all_at_once(c, &s, area);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * PAGE, PAGE))
		die_errno("fallocate of a hole");
	CHECK_VALUE(c, guest_load(&s, GPA(5)), 0);
	others_stay(c, &s, 5);
	CHECK_DONE(c, guest_store(&s, GPA(6), 66));
	CHECK(c, WORD(area, 6) == 66);
	subject_close(&s);
	munmap(area, HUGE);
	close(fd);
	return NULL;
}

const struct test_case large_cases[] = {
	{ "huge page, parts taken", transparent },
	{ "huge zero page", zero_page },
	{ "huge page shared by fork", forked },
	{ "huge page of hugetlbfs", reserved },
	{ "huge page of a file", of_a_file },
	{ NULL, NULL },
};
