// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What a check found, beside what it should have: told where they differ, and counted.
#ifndef EXPECT_H
#define EXPECT_H

extern int checks, problems;

void expect(const char *what, long found, long expected);

#endif
