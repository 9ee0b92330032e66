// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Slots deleted, made again elsewhere, moved, turned read-only between two runs.
#include "subject.h"

#include <sys/mman.h>

#define GPA(PAGES) (TESTED_BASE + (PAGES) * PAGE)
#define WORD(S, PAGES) (*(volatile uint32_t *)((S)->tested + (PAGES) * PAGE))

enum { MOVED_BASE = 0x400000 };

static const char *deleted(struct check *c, const char *device)
{
	struct subject s;

	subject_open(&s, device, NULL);
	CHECK_DONE(c, guest_store(&s, GPA(0), 1));
	machine_add_memory(&s.m, TESTED_SLOT, TESTED_BASE, 0, 0, s.tested);
	CHECK_MMIO(c, guest_load(&s, GPA(0)));
	CHECK_MMIO(c, guest_store(&s, GPA(0), 2));
	CHECK(c, WORD(&s, 0) == 1);
	// The same memory again.
	machine_add_memory(&s.m, TESTED_SLOT, TESTED_BASE, TESTED_SIZE, 0, s.tested);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 1);
	CHECK_DONE(c, guest_store(&s, GPA(0), 3));
	CHECK(c, WORD(&s, 0) == 3);
	// Other memory.
	machine_add_memory(&s.m, TESTED_SLOT, TESTED_BASE, 0, 0, s.tested);

	volatile uint32_t *other = machine_add_memory(&s.m, TESTED_SLOT, TESTED_BASE, TESTED_SIZE, 0, NULL);

	*other = 9;
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 9);
	subject_close(&s);
	munmap((void *)other, TESTED_SIZE);
	return NULL;
}

static const char *moved(struct check *c, const char *device)
{
	struct subject s;

	subject_open(&s, device, NULL);
	CHECK_DONE(c, guest_store(&s, GPA(0), 1));
	machine_add_memory(&s.m, TESTED_SLOT, MOVED_BASE, TESTED_SIZE, 0, s.tested);
	CHECK_MMIO(c, guest_load(&s, GPA(0)));
	CHECK_VALUE(c, guest_load(&s, MOVED_BASE), 1);
	CHECK_DONE(c, guest_store(&s, MOVED_BASE, 2));
	// By one page: what was page 1 is at page 0's place now.
	machine_add_memory(&s.m, TESTED_SLOT, TESTED_BASE, TESTED_SIZE, 0, s.tested);
	WORD(&s, 1) = 11;
	CHECK_VALUE(c, guest_load(&s, GPA(1)), 11);
	machine_add_memory(&s.m, TESTED_SLOT, TESTED_BASE - PAGE, TESTED_SIZE, 0, s.tested);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 11);
	CHECK_VALUE(c, guest_load(&s, GPA(-1)), 2);
	CHECK_MMIO(c, guest_load(&s, GPA(TESTED_PAGES - 1)));
	subject_close(&s);
	return NULL;
}

static const char *made_readonly(struct check *c, const char *device)
{
	struct subject s;

	subject_open(&s, device, NULL);
	CHECK_DONE(c, guest_store(&s, GPA(0), 1));
	machine_add_memory(&s.m, TESTED_SLOT, TESTED_BASE, 0, 0, s.tested);
	machine_add_memory(&s.m, TESTED_SLOT, TESTED_BASE, TESTED_SIZE, KVM_MEM_READONLY, s.tested);
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 1);
	CHECK_MMIO(c, guest_store(&s, GPA(0), 2));
	WORD(&s, 0) = 3;
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 3);
	munmap(s.tested, PAGE);
	CHECK_EFAULT(c, guest_load(&s, GPA(0)));
	subject_close(&s);
	return NULL;
}

// The same memory at two places: a change reaches the guest through both.
static const char *aliased(struct check *c, const char *device)
{
	struct subject s;

	subject_open(&s, device, NULL);
	machine_add_memory(&s.m, 2, MOVED_BASE, TESTED_SIZE, 0, s.tested);
	CHECK_DONE(c, guest_store(&s, GPA(0), 1));
	CHECK_VALUE(c, guest_load(&s, MOVED_BASE), 1);
	CHECK_DONE(c, guest_store(&s, MOVED_BASE, 2));
	CHECK_VALUE(c, guest_load(&s, GPA(0)), 2);
	madvise(s.tested, PAGE, MADV_DONTNEED);
	CHECK_VALUE(c, guest_load(&s, MOVED_BASE), 0);
	CHECK_DONE(c, guest_store(&s, GPA(0), 3));
	CHECK_VALUE(c, guest_load(&s, MOVED_BASE), 3);
	munmap(s.tested, PAGE);
	CHECK_EFAULT(c, guest_load(&s, GPA(0)));
	CHECK_EFAULT(c, guest_load(&s, MOVED_BASE));
	subject_close(&s);
	return NULL;
}

// Three VMs, the first and the last over the same memory, the one between them over other: each hears of its own memory's changes, also after its
// slot has moved or was made anew, and after another VM with that memory has gone.
static const char *shared(struct check *c, const char *device)
{
	struct subject first, other, last;

	subject_open(&first, device, NULL);
	subject_open(&other, device, NULL);
	subject_open(&last, device, first.tested);
	CHECK_DONE(c, guest_store(&first, GPA(0), 1));
	CHECK_DONE(c, guest_store(&other, GPA(0), 2));
	CHECK_VALUE(c, guest_load(&last, GPA(0)), 1);
	madvise(first.tested, PAGE, MADV_DONTNEED);
	CHECK_VALUE(c, guest_load(&first, GPA(0)), 0);
	CHECK_VALUE(c, guest_load(&last, GPA(0)), 0);
	CHECK_VALUE(c, guest_load(&other, GPA(0)), 2);

	machine_add_memory(&first.m, TESTED_SLOT, MOVED_BASE, TESTED_SIZE, 0, first.tested);
	machine_add_memory(&last.m, TESTED_SLOT, TESTED_BASE, 0, 0, last.tested);
	machine_add_memory(&last.m, TESTED_SLOT, TESTED_BASE, TESTED_SIZE, 0, last.tested);
	CHECK_DONE(c, guest_store(&last, GPA(0), 3));
	CHECK_VALUE(c, guest_load(&first, MOVED_BASE), 3);
	madvise(first.tested, PAGE, MADV_DONTNEED);
	CHECK_VALUE(c, guest_load(&first, MOVED_BASE), 0);
	CHECK_VALUE(c, guest_load(&last, GPA(0)), 0);

	CHECK_DONE(c, guest_store(&last, GPA(0), 4));
	subject_close(&first);
	madvise(last.tested, PAGE, MADV_DONTNEED);
	CHECK_VALUE(c, guest_load(&last, GPA(0)), 0);
	munmap(last.tested, PAGE);
	CHECK_EFAULT(c, guest_load(&last, GPA(0)));
	subject_close(&last);
	madvise(other.tested, PAGE, MADV_DONTNEED);
	CHECK_VALUE(c, guest_load(&other, GPA(0)), 0);
	subject_close(&other);
	return NULL;
}

const struct test_case slot_cases[] = {
	{ "slot deleted", deleted },
	{ "slot moved", moved },
	{ "slot made read-only", made_readonly },
	{ "one memory in two slots", aliased },
	{ "one memory in two VMs", shared },
	{ NULL, NULL },
};
