// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Anonymous memory changed between two runs of a guest that has used it: what it reads next is the new contents, or EFAULT.
#include "subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORD(S, PAGES) (*(volatile uint32_t *)((S)->tested + (PAGES) * PAGE))
#define GPA(PAGES) (TESTED_BASE + (PAGES) * PAGE)

static void *map_at(void *address, size_t size, int protection)
{
	void *map = mmap(address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | (address ? MAP_FIXED : 0), -1, 0);

	if (map == MAP_FAILED)
		die_errno("mmap of %zu bytes", size);
	return map;
}

static const char *unmap(struct check *c, const char *device)
{
	struct subject s;

	subject_open(&s, device, NULL);
	WORD(&s, 0) = 1;
	WORD(&s, 1) = 2;
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 1);
	CHECK_DONE(c, guest_store(&s, GPA(0), 3));
	CHECK_VALUE(c, guest_load(&s, GPA(1)), 2);
	munmap(s.tested, PAGE);
	CHECK_EFAULT(c, guest_load(&s, GPA(0)));
	CHECK_EFAULT(c, guest_store(&s, GPA(0), 4));
	CHECK_VALUE(c, guest_load(&s, GPA(1)), 2);
	map_at(s.tested, PAGE, PROT_READ | PROT_WRITE);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 0);
	WORD(&s, 0) = 5;
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 5);
	subject_close(&s);
	return NULL;
}

static const char *dont_need(struct check *c, const char *device)
{
	struct subject s;

	subject_open(&s, device, NULL);
	for (int i = 0; i < TESTED_PAGES; i++)
		CHECK_DONE(c, guest_store(&s, GPA(i), 100 + i));
	madvise(s.tested + 4 * PAGE, 4 * PAGE, MADV_DONTNEED);
	for (int i = 0; i < TESTED_PAGES; i++)
		CHECK_VALUE(c, guest_load(&s, GPA(i)), i / 4 == 1 ? 0 : 100 + i);
	CHECK_DONE(c, guest_store(&s, GPA(4), 7));
	CHECK(c, WORD(&s, 4) == 7);
	subject_close(&s);
	return NULL;
}

static const char *protect(struct check *c, const char *device)
{
	struct subject s;

	subject_open(&s, device, NULL);
	CHECK_DONE(c, guest_store(&s, GPA(0), 1));
	mprotect(s.tested, PAGE, PROT_READ);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 1);
	CHECK_EFAULT(c, guest_store(&s, GPA(0), 2));
	CHECK(c, WORD(&s, 0) == 1);
	CHECK_DONE(c, guest_store(&s, GPA(1), 3));
	mprotect(s.tested, PAGE, PROT_NONE);
	CHECK_EFAULT(c, guest_load(&s, GPA(0)));
	CHECK_EFAULT(c, guest_store(&s, GPA(0), 4));
	mprotect(s.tested, PAGE, PROT_READ | PROT_WRITE);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 1);
	CHECK_DONE(c, guest_store(&s, GPA(0), 5));
	CHECK(c, WORD(&s, 0) == 5);
	subject_close(&s);
	return NULL;
}

// Pages that were only read are the shared zero page; whoever writes first gets one of his own, and the other sees it.
static const char *zero_page(struct check *c, const char *device)
{
	struct subject s;

	subject_open(&s, device, NULL);
	for (int i = 0; i < 4; i++)
		CHECK_VALUE(c, guest_load(&s, GPA(i)), 0);
	WORD(&s, 0) = 1;
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 1);
	CHECK(c, WORD(&s, 1) == 0);
	CHECK_DONE(c, guest_store(&s, GPA(1), 2));
	CHECK(c, WORD(&s, 1) == 2);
	CHECK_VALUE(c, guest_load(&s, GPA(2)), 0);
	CHECK_VALUE(c, guest_load(&s, GPA(3)), 0);
	subject_close(&s);
	return NULL;
}

// Copy on write. The guest is a thread of the parent's memory: it must share with the parent and never with the child.
static const char *fork_and_write(struct check *c, const char *device)
{
	struct subject s;
	int to_child[2], to_parent[2], status;
	char token = 0;

	subject_open(&s, device, NULL);
	for (int i = 0; i < 4; i++)
		CHECK_DONE(c, guest_store(&s, GPA(i), 10 + i));
	if (pipe(to_child) || pipe(to_parent))
		die_errno("pipe");
	fflush(stdout);

	pid_t child = fork();

	if (child < 0)
		die_errno("fork");
	if (!child) {
		// Page 2 is written here; then all must be as it was at the fork.
		bool good = WORD(&s, 2) == 12;

		WORD(&s, 2) = 99;
		good &= write(to_parent[1], &token, 1) == 1 && read(to_child[0], &token, 1) == 1;
		good &= WORD(&s, 0) == 10 && WORD(&s, 1) == 11 && WORD(&s, 2) == 99 && WORD(&s, 3) == 13;
		_exit(!good);
	}
	CHECK(c, read(to_parent[0], &token, 1) == 1);
	CHECK_DONE(c, guest_store(&s, GPA(0), 20));		// the guest writes
	CHECK(c, WORD(&s, 0) == 20);
	WORD(&s, 1) = 21;					// the parent writes
	CHECK_VALUE(c, guest_load(&s, GPA(1)), 21);
	CHECK_VALUE(c, guest_load(&s, GPA(2)), 12);		// the child has written
	CHECK_VALUE(c, guest_load(&s, GPA(3)), 13);
	CHECK(c, write(to_child[1], &token, 1) == 1);
	waitpid(child, &status, 0);
	CHECK(c, WIFEXITED(status) && WEXITSTATUS(status) == 0);
	// After the child's end the pages are the parent's alone again.
	CHECK_DONE(c, guest_store(&s, GPA(3), 33));
	CHECK(c, WORD(&s, 3) == 33);
	WORD(&s, 2) = 32;
	CHECK_VALUE(c, guest_load(&s, GPA(2)), 32);
	subject_close(&s);
	close(to_child[0]);
	close(to_child[1]);
	close(to_parent[0]);
	close(to_parent[1]);
	return NULL;
}

static const char *map_over(struct check *c, const char *device)
{
	struct subject s;

	subject_open(&s, device, NULL);
	CHECK_DONE(c, guest_store(&s, GPA(0), 1));
	map_at(s.tested, PAGE, PROT_READ | PROT_WRITE);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 0);
	CHECK_DONE(c, guest_store(&s, GPA(0), 2));
	CHECK(c, WORD(&s, 0) == 2);
	map_at(s.tested, PAGE, PROT_READ);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 0);
	CHECK_EFAULT(c, guest_store(&s, GPA(0), 3));
	subject_close(&s);
	return NULL;
}

static const char *move_mapping(struct check *c, const char *device)
{
	struct subject s;
	volatile uint32_t *other = map_at(NULL, PAGE, PROT_READ | PROT_WRITE);

	subject_open(&s, device, NULL);
	*other = 77;
	CHECK_DONE(c, guest_store(&s, GPA(0), 1));
	CHECK_DONE(c, guest_store(&s, GPA(1), 2));
	// Another page comes to the place of page 0.
	CHECK(c, mremap((void *)other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, s.tested) == s.tested);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 77);
	// Page 1 goes away.
	other = map_at(NULL, PAGE, PROT_READ | PROT_WRITE);
	CHECK(c, mremap(s.tested + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)other) == other);
	CHECK_EFAULT(c, guest_load(&s, GPA(1)));
	CHECK_EFAULT(c, guest_store(&s, GPA(1), 3));
	CHECK(c, *other == 2);
	// And comes back.
	*other = 4;
	CHECK(c, mremap((void *)other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, s.tested + PAGE) == s.tested + PAGE);
	CHECK_VALUE(c, guest_load(&s, GPA(1)), 4);
	subject_close(&s);
	return NULL;
}

// Small pages become a huge one under the guest: the kernel copies them elsewhere.
static const char *collapse(struct check *c, const char *device)
{
	enum { HUGE = 0x200000, COLLAPSE = 25 };
	uint8_t *area = map_at(NULL, 2 * HUGE, PROT_READ | PROT_WRITE);
	uint8_t *aligned = (uint8_t *)(((uintptr_t)area + HUGE - 1) & -(uintptr_t)HUGE);
	const char *reason = NULL;
	struct subject s;

	madvise(aligned, HUGE, MADV_NOHUGEPAGE);
	subject_open(&s, device, aligned);
	for (int i = 0; i < TESTED_PAGES; i++)
		CHECK_DONE(c, guest_store(&s, GPA(i), 50 + i));
	madvise(aligned, HUGE, MADV_HUGEPAGE);
	if (madvise(aligned, HUGE, COLLAPSE))
		reason = "the kernel does not collapse pages on demand here";
	for (int i = 0; !reason && i < TESTED_PAGES; i++) {
		WORD(&s, i) += 100;
		CHECK_VALUE(c, guest_load(&s, GPA(i)), 150 + i);
		CHECK_DONE(c, guest_store(&s, GPA(i), 250 + i));
		CHECK(c, WORD(&s, i) == 250u + i);
	}
	subject_close(&s);
	munmap(area, 2 * HUGE);
	return reason;
}

// Pages that the kernel moves to make free memory contiguous.
static const char *compact(struct check *c, const char *device)
{
	FILE *file = fopen("/proc/sys/vm/compact_memory", "w");
	struct subject s;

	if (!file)
		return "no /proc/sys/vm/compact_memory here";
	subject_open(&s, device, NULL);
	for (int i = 0; i < TESTED_PAGES; i++)
		CHECK_DONE(c, guest_store(&s, GPA(i), 50 + i));
	fputs("1\n", file);
	fclose(file);
	for (int i = 0; i < TESTED_PAGES; i++) {
		WORD(&s, i) += 100;
		CHECK_VALUE(c, guest_load(&s, GPA(i)), 150 + i);
		CHECK_DONE(c, guest_store(&s, GPA(i), 250 + i));
		CHECK(c, WORD(&s, i) == 250u + i);
	}
	subject_close(&s);
	return NULL;
}

const struct test_case turn_cases[] = {
	{ "munmap", unmap },
	{ "MADV_DONTNEED", dont_need },
	{ "mprotect", protect },
	{ "zero page", zero_page },
	{ "fork and copy on write", fork_and_write },
	{ "mmap over it", map_over },
	{ "mremap", move_mapping },
	{ "collapse to a huge page", collapse },
	{ "memory compaction", compact },
	{ NULL, NULL },
};
