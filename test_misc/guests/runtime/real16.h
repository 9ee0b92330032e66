// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What guests that run in real mode share. A failed check ends the guest with the number of its line.
#ifndef REAL16_H
#define REAL16_H

#include "ports.h"

// The condition CC must hold, or the guest fails here.
#define REQUIRE16(CC) \
	j##CC 771f; movl $__LINE__, %eax; jmp fail16; 771:

// OPERAND (of the size SUFFIX) must be equal to VALUE.
#define EXPECT16(SUFFIX, VALUE, OPERAND) \
	cmp##SUFFIX $(VALUE), OPERAND; REQUIRE16(e)

// All segments at 0 and a stack below 0x9000.
#define START16 \
	.section .text.start, "ax"; .code16; .globl _start; _start: \
	xorw %ax, %ax; movw %ax, %ds; movw %ax, %es; movw %ax, %ss; movl $0x9000, %esp

#endif
