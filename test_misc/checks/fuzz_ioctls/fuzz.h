// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The parts of fuzz_ioctls: threads that share files and memory, and do to them whatever comes.
#ifndef FUZZ_H
#define FUZZ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096ull

// --- random.c: one generator a thread ---
struct random { uint64_t state; };
void random_start(struct random *r, uint64_t seed);
uint64_t random_next(struct random *r);
// 0 to BOUND - 1.
uint32_t random_below(struct random *r, uint32_t bound);

// --- files.c: descriptors that all threads use, and close under one another ---
enum kind { SYSTEMS, VMS, VCPUS, KINDS };
int files_open(const char *device);
// A descriptor of a kind, or one that is none.
int files_pick(enum kind kind, struct random *r);
// An eventfd, or a descriptor that is none.
int files_eventfd(struct random *r);
// Keeps a new descriptor in the place of another, which is closed.
void files_keep(enum kind kind, int fd, struct random *r);
void files_close_one(enum kind kind, struct random *r);
void files_close_all(void);

// --- memory.c: what slots are made of, what ioctls are given, run pages; all of it comes and goes ---
enum { GUEST_PAGES = 16, ARGUMENT_PAGES = 4 };
void memory_start(struct random *r);
// New memory below 4 GiB; never NULL.
void *memory_low(size_t size, int protection);
// An address in the guests' memory, on a page.
uint64_t memory_guest_page(struct random *r);
// An address that is none.
void *memory_nowhere(struct random *r);
// An argument: a struct of chance, half a struct before memory that is not there, or no address at all.
void *memory_argument(struct random *r, size_t size);
// A struct whose 32-bit words are what such words often are, or what the last ioctl left there. Never NULL; may be pulled away by another thread.
void *memory_struct(struct random *r, size_t size);
// Unmaps, protects, discards or fills some of it.
void memory_change(struct random *r);
// Maps the run page of a descriptor in the place of another.
void memory_map_run(int fd, struct random *r);
// Writes something to a run page.
void memory_scribble(struct random *r);

// Stores to memory that may go away meanwhile: false where it has.
bool memory_store(void *to, const void *from, size_t size);

// --- calls.c: the ioctls, counted, by a 64-bit caller or a 32-bit one ---
struct call { const char *name; unsigned long request; };
extern const struct call calls[];
extern const size_t call_count;
// How often each was tried and worked; how often a 32-bit caller did and it worked.
extern atomic_ulong tried[], worked[], tried32, worked32;
// Asks the kernel whether it has 32-bit callers at all.
void calls_start(void);
int call_index(struct random *r, int fd, size_t index, void *argument);
// By its number.
int call(struct random *r, int fd, unsigned long request, void *argument);
// One of all; those that have never worked come less often. KVM_SET_USER_MEMORY_REGION and its like never.
size_t call_any(struct random *r);
// One that makes slots.
size_t call_region(struct random *r);

// --- step.c ---
// One step of a thread.
void step(struct random *r);

#endif
