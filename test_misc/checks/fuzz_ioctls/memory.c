// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Three areas that every thread uses: the guests' memory, structs for ioctls with nothing behind them, and run pages. All below 4 GiB, where a
// 32-bit caller can point to. A page of them may be another thread's to take away: memory_store survives that.
#include "../machine.h"
#include "fuzz.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

enum { RUN_PAGES = 2, RUN_PLACES = 8, STRUCT_MAX = 2048 };

static uint8_t *guest, *arguments, *runs;
static _Thread_local sigjmp_buf fault_return;
static _Thread_local volatile sig_atomic_t may_fault;

void *memory_low(size_t size, int protection)
{
	void *area = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_32BIT, -1, 0);

	if (area == MAP_FAILED)
		die_errno("mmap of %zu bytes below 4 GiB", size);
	return area;
}

static uint8_t *reserve(size_t pages)
{
	return memory_low(pages * PAGE, PROT_NONE);
}

static void faulted(int number)
{
	if (may_fault)
		siglongjmp(fault_return, 1);
	// Not one of those foreseen: let it end the program.
	signal(number, SIG_DFL);
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_handler = faulted, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

static void map_anew(uint8_t *page)
{
	mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

bool memory_store(void *to, const void *from, size_t size)
{
	if (sigsetjmp(fault_return, 0)) {
		may_fault = 0;
		return false;
	}
	may_fault = 1;
	memcpy(to, from, size);
	// The bytes are there before a fault is one that nobody foresaw.
	atomic_signal_fence(memory_order_seq_cst);
	may_fault = 0;
	return true;
}

// What a guest finds: instructions that leave it, in real mode, between bytes of chance.
static void fill_guest_page(uint8_t *page, struct random *r)
{
	static const uint8_t code[][6] = {
		{ 0xf4 }, { 0xe6, 0x80 }, { 0xe4, 0x81 }, { 0x0f, 0xa2 }, { 0x0f, 0x32 }, { 0x0f, 0x30 }, { 0x0f, 0x01, 0xc1 },
		{ 0xa0, 0x00, 0xf0 }, { 0xa2, 0x00, 0xf0 }, { 0x6c }, { 0xf3, 0x6e }, { 0xcc }, { 0xfb }, { 0x9d }, { 0x0f, 0x20, 0xc0 },
		{ 0x0f, 0x22, 0xc0 }, { 0xea, 0x00, 0x10, 0x00, 0x00 }, { 0x90 }, { 0x90 }, { 0x40 }, { 0xe9, 0x00, 0x01 },
	};
	uint8_t bytes[PAGE];

	for (size_t i = 0; i < PAGE; i += sizeof(code[0]))
		memcpy(bytes + i, code[random_below(r, sizeof(code) / sizeof(code[0]))], PAGE - i < sizeof(code[0]) ? PAGE - i : sizeof(code[0]));
	// A loop that only a signal ends, here and there: each costs its thread a pause of main's.
	if (random_below(r, 4) == 0)
		memcpy(bytes + random_below(r, PAGE - 2), (uint8_t[]){ 0xeb, 0xfe }, 2);
	for (int i = random_below(r, 64); i > 0; i--)
		bytes[random_below(r, PAGE)] = random_next(r);
	memory_store(page, bytes, PAGE);
}

void memory_start(struct random *r)
{
	catch_faults();
	// A slot may begin at the last page: behind it, too, there is nothing.
	guest = reserve(2 * GUEST_PAGES);
	arguments = reserve(2 * ARGUMENT_PAGES);
	runs = reserve(RUN_PLACES * RUN_PAGES);
	for (int i = 0; i < GUEST_PAGES; i++) {
		map_anew(guest + i * PAGE);
		fill_guest_page(guest + i * PAGE, r);
	}
	// Every other page: behind each there is nothing.
	for (int i = 0; i < ARGUMENT_PAGES; i++)
		map_anew(arguments + 2 * i * PAGE);
}

uint64_t memory_guest_page(struct random *r)
{
	return (uintptr_t)guest + random_below(r, GUEST_PAGES) * PAGE;
}

static uint32_t likely_word(struct random *r)
{
	static const uint32_t words[] = { 0, 0, 0, 0, 1, 2, 3, 4, 8, 16, 0x40, 0x80, 0x1000, 0x2000, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff };

	if (random_below(r, 8) == 0)
		return random_next(r);
	return words[random_below(r, sizeof(words) / sizeof(words[0]))];
}

void *memory_struct(struct random *r, size_t size)
{
	uint8_t *at = arguments + 2 * random_below(r, ARGUMENT_PAGES) * PAGE;
	uint32_t words[16];
	uint32_t count = random_below(r, 16) + 1;

	if (size > STRUCT_MAX)
		size = STRUCT_MAX;
	// Mostly what an ioctl left there, with some words changed: registers that were read are set again.
	if (random_below(r, 2)) {
		for (uint32_t i = 0; i < count; i++)
			words[i] = likely_word(r);
		memory_store(at + (random_below(r, size / 4 + 1) & ~1u) * 4, words, random_below(r, 4) ? 8 : count * 4);
	}
	return at;
}

void *memory_nowhere(struct random *r)
{
	static const uint64_t nowhere[] = {
		0, 1, 0xfff, 1ull << 46, (1ull << 47) - PAGE, (1ull << 47) - 8, 1ull << 47, 1ull << 63, ~0ull, ~7ull, 0xffff888000000000, 0xffffffff81000000,
	};

	return (void *)(uintptr_t)nowhere[random_below(r, sizeof(nowhere) / sizeof(nowhere[0]))];
}

void *memory_argument(struct random *r, size_t size)
{
	switch (random_below(r, 16)) {
	case 0:
		return memory_nowhere(r);
	case 1: // its end is not there
		return (uint8_t *)memory_struct(r, size) + PAGE - random_below(r, size + 1);
	case 2:
		return (void *)(uintptr_t)random_below(r, 256);
	case 3: // not aligned
		return (uint8_t *)memory_struct(r, size) + random_below(r, 8);
	default:
		return memory_struct(r, size);
	}
}

static void change_guest(struct random *r)
{
	uint8_t *page = guest + random_below(r, GUEST_PAGES) * PAGE;

	switch (random_below(r, 6)) {
	case 0:
		madvise(page, PAGE, MADV_DONTNEED);
		break;
	case 1:
		mprotect(page, PAGE, PROT_READ);
		mprotect(page, PAGE, PROT_READ | PROT_WRITE);
		break;
	case 2:
		munmap(page, PAGE);
		map_anew(page);
		break;
	default:
		fill_guest_page(page, r);
	}
}

static void change_argument(struct random *r)
{
	uint8_t *page = arguments + 2 * random_below(r, ARGUMENT_PAGES) * PAGE;

	switch (random_below(r, 3)) {
	case 0:
		munmap(page, PAGE);
		break;
	case 1:
		mprotect(page, PAGE, PROT_READ);
		break;
	default:
		madvise(page, PAGE, MADV_DONTNEED);
	}
	// Not gone for long, or nothing would come of the others' calls.
	map_anew(page);
}

void memory_change(struct random *r)
{
	if (random_below(r, 2))
		change_guest(r);
	else
		change_argument(r);
}

static uint8_t *run_place(struct random *r)
{
	return runs + random_below(r, RUN_PLACES) * RUN_PAGES * PAGE;
}

void memory_map_run(int fd, struct random *r)
{
	// Also where there is nothing: beyond the last page, read-only, too large.
	size_t pages = random_below(r, 8) ? RUN_PAGES : 1;
	off_t offset = random_below(r, 8) ? 0 : random_below(r, 4) * PAGE;
	int protection = random_below(r, 8) ? PROT_READ | PROT_WRITE : PROT_READ;

	mmap(run_place(r), pages * PAGE, protection, MAP_SHARED | MAP_FIXED, fd, offset);
}

void memory_scribble(struct random *r)
{
	uint64_t value = random_below(r, 2) ? random_next(r) : likely_word(r);

	memory_store(run_place(r) + random_below(r, random_below(r, 4) ? 64 : RUN_PAGES * PAGE - 8), &value, random_below(r, 8) + 1);
}
