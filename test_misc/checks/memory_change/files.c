// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Memory of files and memfds changed between two runs: truncation, holes, private copies, read-only maps.
#include "subject.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORD(S, PAGES) (*(volatile uint32_t *)((S)->tested + (PAGES) * PAGE))
#define GPA(PAGES) (TESTED_BASE + (PAGES) * PAGE)

static int new_memfd(void)
{
	int fd = memfd_create("memory_change", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, TESTED_SIZE))
		die_errno("memfd_create");
	return fd;
}

static int new_file(void)
{
	char path[] = "/tmp/memory_change.XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || unlink(path) || ftruncate(fd, TESTED_SIZE))
		die_errno("a file in /tmp");
	return fd;
}

static void *map(int fd, int protection, int flags)
{
	void *map = mmap(NULL, TESTED_SIZE, protection, flags, fd, 0);

	if (map == MAP_FAILED)
		die_errno("mmap of a file");
	return map;
}

static void truncation(struct check *c, const char *device, int fd)
{
	struct subject s;

	subject_open(&s, device, map(fd, PROT_READ | PROT_WRITE, MAP_SHARED));
	for (int i = 0; i < 4; i++)
		CHECK_DONE(c, guest_store(&s, GPA(i), 10 + i));
	if (ftruncate(fd, 2 * PAGE))
		die_errno("ftruncate");
	CHECK_VALUE(c, guest_load(&s, GPA(1)), 11);
	CHECK_EFAULT(c, guest_load(&s, GPA(2)));
	CHECK_EFAULT(c, guest_store(&s, GPA(3), 1));
	if (ftruncate(fd, TESTED_SIZE))
		die_errno("ftruncate");
	CHECK_VALUE(c, guest_load(&s, GPA(1)), 11);
	CHECK_VALUE(c, guest_load(&s, GPA(2)), 0);
	CHECK_DONE(c, guest_store(&s, GPA(3), 23));

	uint32_t value = 0;

	CHECK(c, pread(fd, &value, sizeof(value), 3 * PAGE) == sizeof(value) && value == 23);
	// What others write to the file the guest sees.
	value = 42;
	CHECK(c, pwrite(fd, &value, sizeof(value), 0) == sizeof(value));
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 42);
	subject_close(&s);
	munmap(s.tested, TESTED_SIZE);
	close(fd);
}

static const char *truncated_memfd(struct check *c, const char *device)
{
	truncation(c, device, new_memfd());
	return NULL;
}

static const char *truncated_file(struct check *c, const char *device)
{
	truncation(c, device, new_file());
	return NULL;
}

static const char *hole(struct check *c, const char *device)
{
	int fd = new_memfd();
	struct subject s;

	subject_open(&s, device, map(fd, PROT_READ | PROT_WRITE, MAP_SHARED));
	CHECK_DONE(c, guest_store(&s, GPA(0), 1));
	CHECK_DONE(c, guest_store(&s, GPA(1), 2));
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE))
		die_errno("fallocate of a hole");
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 0);
	CHECK_VALUE(c, guest_load(&s, GPA(1)), 2);
	CHECK_DONE(c, guest_store(&s, GPA(0), 3));
	CHECK(c, WORD(&s, 0) == 3);
	subject_close(&s);
	munmap(s.tested, TESTED_SIZE);
	close(fd);
	return NULL;
}

// A private map: the guest's stores stay off the file; MADV_DONTNEED brings the file's contents back.
static const char *private_map(struct check *c, const char *device)
{
	int fd = new_memfd();
	uint32_t value = 5;
	struct subject s;

	CHECK(c, pwrite(fd, &value, sizeof(value), 0) == sizeof(value));
	subject_open(&s, device, map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 5);
	CHECK_DONE(c, guest_store(&s, GPA(0), 6));
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 6);
	CHECK(c, pread(fd, &value, sizeof(value), 0) == sizeof(value) && value == 5);
	madvise(s.tested, PAGE, MADV_DONTNEED);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 5);
	if (ftruncate(fd, 0))
		die_errno("ftruncate");
	CHECK_EFAULT(c, guest_load(&s, GPA(0)));
	subject_close(&s);
	munmap(s.tested, TESTED_SIZE);
	close(fd);
	return NULL;
}

static const char *readonly_map(struct check *c, const char *device)
{
	int fd = new_memfd();
	uint32_t value = 5;
	struct subject s;

	CHECK(c, pwrite(fd, &value, sizeof(value), 0) == sizeof(value));
	subject_open(&s, device, map(fd, PROT_READ, MAP_SHARED));
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 5);
	CHECK_EFAULT(c, guest_store(&s, GPA(0), 6));
	CHECK(c, pread(fd, &value, sizeof(value), 0) == sizeof(value) && value == 5);
	subject_close(&s);
	munmap(s.tested, TESTED_SIZE);
	close(fd);
	return NULL;
}

// Another file, and anonymous memory, take the place.
static const char *replaced_file(struct check *c, const char *device)
{
	int first = new_memfd(), second = new_memfd();
	uint32_t value = 5;
	struct subject s;

	CHECK(c, pwrite(first, &value, sizeof(value), 0) == sizeof(value));
	value = 6;
	CHECK(c, pwrite(second, &value, sizeof(value), 0) == sizeof(value));
	subject_open(&s, device, map(first, PROT_READ | PROT_WRITE, MAP_SHARED));
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 5);
	CHECK(c, mmap(s.tested, TESTED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, second, 0) == s.tested);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 6);
	CHECK_DONE(c, guest_store(&s, GPA(0), 7));
	CHECK(c, pread(second, &value, sizeof(value), 0) == sizeof(value) && value == 7);
	CHECK(c, pread(first, &value, sizeof(value), 0) == sizeof(value) && value == 5);
	subject_close(&s);
	munmap(s.tested, TESTED_SIZE);
	close(first);
	close(second);
	return NULL;
}

const struct test_case file_cases[] = {
	{ "memfd truncated", truncated_memfd },
	{ "file truncated", truncated_file },
	{ "hole in a memfd", hole },
	{ "private map of a file", private_map },
	{ "read-only map of a file", readonly_map },
	{ "file replaced by another", replaced_file },
	{ NULL, NULL },
};
