// SPDX-License-Identifier: MIT OR GPL-2.0-only
// x87 and MMX instructions on the processor that runs the tests.
#ifndef CX87_H
#define CX87_H
#include <stdbool.h>
#include <stdint.h>

/* What FNSAVE stores in 32-bit protected format, and RFLAGS. */
struct cx87_state {
	uint32_t environment[7];
	uint8_t registers[8][10];
	uint32_t padding;
	uint64_t flags;
} __attribute__((packed, aligned(16)));

/* Whether this processor is one that can execute them, and whose choices where the SDM leaves some are those of X86. */
bool cx87_available(void);

/*
 * Executes one instruction: FRSTOR of @state, POPF, the instruction, PUSHF, FNSAVE to @state. Its memory operand, if it has one, is
 * (%rsi), which is @memory. An exception that it leaves pending is in the status word.
 */
void cx87_execute(const uint8_t *code, unsigned length, struct cx87_state *state, void *memory);
#endif
