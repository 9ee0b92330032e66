// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What guests in protected mode share: checks, traps that are expected, segments.
#ifndef PROTECTED32_H
#define PROTECTED32_H

#include "ports.h"

// Selectors of the runtime's GDT.
#define CODE32  0x08
#define DATA32  0x10
#define USER_CODE32 0x1b
#define USER_DATA32 0x23
#define CODE16  0x28
#define DATA16  0x30
#define TSS32   0x38
#define SPARE32 0x40 // two entries that the guest may fill: gdt32_spare

// The condition CC must hold, or the guest fails here.
#define REQUIRE32(CC) \
	j##CC 771f; movl $__LINE__, %eax; jmp fail32; 771:

// OPERAND (of the size SUFFIX) must be equal to VALUE.
#define EXPECT32(SUFFIX, VALUE, OPERAND) \
	cmp##SUFFIX $(VALUE), OPERAND; REQUIRE32(e)

// INSTRUCTION must raise exception VECTOR with error code ERROR (0 where there is none).
#define EXPECT_TRAP32(VECTOR, ERROR, ...) \
	movl $772f, trap_resume32; movl %esp, trap_stack32; \
	__VA_ARGS__; \
	movl $__LINE__, %eax; jmp fail32; \
	772: EXPECT32(l, VECTOR, trap_vector32); EXPECT32(l, ERROR, trap_error32)

// Segments and IDT of the runtime, a stack below 0x9000.
#define START32 \
	.section .text.start, "ax"; .code32; .globl _start; _start: \
	movl $0x9000, %esp; call setup32

// Interrupt gate VECTOR leads to HANDLER. Clobbers %eax, %edi.
#define GATE32(VECTOR, HANDLER) \
	movl $(VECTOR), %edi; movl $HANDLER, %eax; call set_gate32

#endif
