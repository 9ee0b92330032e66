// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A VM whose guest loads and stores words of slot 1 when it is told to, while this program changes what is mapped there.
#ifndef SUBJECT_H
#define SUBJECT_H

#include "../machine.h"

#include <stdbool.h>

enum {
	PAGE = 0x1000,
	TESTED_SLOT = 1, TESTED_BASE = 0x100000, TESTED_PAGES = 16, TESTED_SIZE = TESTED_PAGES * PAGE,
};

struct subject {
	struct machine m;
	uint8_t *tested;	// where slot 1 is mapped
};

// What an access of the guest came to.
struct access {
	enum { ACCESS_DONE, ACCESS_EFAULT, ACCESS_MMIO, ACCESS_OTHER } kind;
	uint32_t value;
};

// A VM on DEVICE with slot 1 mapped at TESTED (fresh anonymous memory when NULL).
void subject_open(struct subject *s, const char *device, void *tested);
void subject_close(struct subject *s);

struct access guest_load(struct subject *s, uint32_t gpa);
struct access guest_store(struct subject *s, uint32_t gpa, uint32_t value);

// Checks. The first that fails is printed with its line; the case has failed then.
struct check { const char *name; bool failed; };

#define CHECK_VALUE(C, ACCESS, VALUE) check_access(C, __LINE__, ACCESS, ACCESS_DONE, VALUE)
#define CHECK_EFAULT(C, ACCESS) check_access(C, __LINE__, ACCESS, ACCESS_EFAULT, 0)
#define CHECK_MMIO(C, ACCESS) check_access(C, __LINE__, ACCESS, ACCESS_MMIO, 0)
#define CHECK_DONE(C, ACCESS) check_access(C, __LINE__, ACCESS, ACCESS_DONE, (ACCESS).value)
#define CHECK(C, CONDITION) check_condition(C, __LINE__, CONDITION, #CONDITION)
void check_access(struct check *c, int line, struct access access, int kind, uint32_t value);
void check_condition(struct check *c, int line, bool condition, const char *text);

struct test_case {
	const char *name;
	// Gives the reason when the case cannot be tried on this machine, else NULL.
	const char *(*run)(struct check *c, const char *device);
};

// The cases of each file; the last one has no name.
extern const struct test_case turn_cases[], file_cases[], large_cases[], slot_cases[], race_cases[];

#endif
