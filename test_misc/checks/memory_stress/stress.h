// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Two vCPUs read and write pages at random while the host does to the memory behind them whatever a host does.
//
// Each page of the tested memory begins with its version: its number and a generation, which only grows. Whoever changes what is mapped at a page
// gives what comes there the next generation, and then announces it in memory that never changes. Behind the version each vCPU has a counter of its own.
#ifndef STRESS_H
#define STRESS_H

#include "../machine.h"

#include <stdatomic.h>

enum {
	PAGE = 0x1000, VCPUS = 2,
	AREAS = 4, AREA_PAGES = 512, AREA_SIZE = AREA_PAGES * PAGE, PAGES = AREAS * AREA_PAGES,
};

// Guest-physical. A vCPU remembers for each page the version that it last stored to, and what.
enum {
	CODE = 0x1000, PAGE_TABLES = 0x9000, ANNOUNCED = 0x20000, REMEMBERED = 0x40000, LOW_SIZE = 0x80000,
	TESTED_BASE = 0x400000,
};

// An announcement: the generation, and whether zeros are to be expected as well.
#define ZERO_TOO (1ull << 63)

struct memory {
	uint8_t *low;
	volatile uint64_t *announced;	// PAGES
	uint8_t *area[AREAS];
};

struct remembered { uint64_t version, counter; };

static inline uint64_t version_of(uint32_t page, uint32_t generation)
{
	return (uint64_t)(page + 1) << 32 | generation;
}

// vCPUs. Set by whoever finds something wrong, after it has said so.
extern atomic_bool failed, stop;
extern atomic_ulong accesses, faults;
void guest_place(struct memory *m);
void guest_start(const struct machine *vcpus, struct memory *m);
void guest_join(void);
// All that the vCPUs remember is there still.
void guest_check(const struct memory *m);

// Host: a thread for each area, which alone changes it.
void host_place(struct machine *m, struct memory *memory);
void host_start(void);
void host_join(void);
void host_report(void);

#endif
