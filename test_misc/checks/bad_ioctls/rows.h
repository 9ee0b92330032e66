// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A row: one wrong (or barely right) call and what came of it. Rows live in the files beside this one;
// the linker gathers them in one table. Each runs in a process of its own with a fresh VM.
#ifndef ROWS_H
#define ROWS_H

#include <linux/kvm.h>
#include <stdint.h>
#include <sys/ioctl.h>

enum { MEMORY_SIZE = 0x10000 };

// One VM with 64 KiB at guest-physical 0 (slot 0) and one vCPU in real mode at 0, where a HLT stands.
struct setup {
	int system, vm, vcpu;
	struct kvm_run *run;
	int run_size;
	uint8_t *memory;
};

struct row {
	const char *name;
	// What the call gave: a value, or -1 with errno.
	long (*call)(struct setup *);
};

#define ROW(NAME) \
	static long NAME(struct setup *s __attribute__((unused))); \
	static const struct row row_##NAME __attribute__((section("rows"), used, aligned(16))) = { #NAME, NAME }; \
	static long NAME(struct setup *s __attribute__((unused)))

// Pages without any rights, and read-only ones.
void *closed_page(void);
void *readonly_page(void);
// A pointer that is SIZE bytes below a page without rights.
void *before_closed_page(unsigned int size);

// KVM_SET_USER_MEMORY_REGION with these fields.
long set_region(struct setup *s, uint32_t slot, uint32_t flags, uint64_t base, uint64_t size, uint64_t address);

// Where kernel memory is: no user may pass that.
#define KERNEL_ADDRESS 0xffff888000001000ul

#endif
