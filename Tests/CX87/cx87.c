// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "cx87.h"

#include <string.h>
#include <sys/mman.h>

#ifdef __x86_64__
#include <cpuid.h>

/* void f(struct cx87_state *state, void *memory); the instruction comes between the two. */
static const uint8_t before[] = {
	0xdd, 0x27,                         /* frstor (%rdi) */
	0xff, 0x77, 0x70,                   /* push 112(%rdi) */
	0x9d,                               /* popf */
};
static const uint8_t after[] = {
	0x9c,                               /* pushf */
	0x8f, 0x47, 0x70,                   /* pop 112(%rdi) */
	0xdd, 0x37,                         /* fnsave (%rdi) */
	0xc3,
};
_Static_assert(__builtin_offsetof(struct cx87_state, flags) == 112, "the code above");

static uint8_t *page(void)
{
	static uint8_t *memory;

	if (!memory)
		memory = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? 0 : memory;
}

/* AMD's, with which each of the details was compared that the SDM leaves open. Makers differ in them. */
static bool known_maker(void)
{
	unsigned eax, name[3];

	return __get_cpuid(0, &eax, &name[0], &name[2], &name[1]) && !memcmp(name, "AuthenticAMD", sizeof name);
}

bool cx87_available(void)
{
	return known_maker() && page() != 0;
}

/* The sanitizer of calls through pointers looks for a function's signature before its first byte; what is put together here has none. */
#ifdef __clang__
__attribute__((no_sanitize("function")))
#endif
void cx87_execute(const uint8_t *code, unsigned length, struct cx87_state *state, void *memory)
{
	uint8_t *place = page();

	memcpy(place, before, sizeof before);
	memcpy(place + sizeof before, code, length);
	memcpy(place + sizeof before + length, after, sizeof after);
	((void (*)(struct cx87_state *, void *))(uintptr_t)place)(state, memory);
}
#else
bool cx87_available(void)
{
	return false;
}

void cx87_execute(const uint8_t *code, unsigned length, struct cx87_state *state, void *memory)
{
}
#endif
