// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What guests in long mode share. %r15 belongs to the checks.
#ifndef LONG64_H
#define LONG64_H

#include "ports.h"

// Selectors of the runtime's GDT. USER_* have RPL 3; SYSRET's order: 32-bit code, data, 64-bit code.
#define CODE64      0x08
#define DATA64      0x10
#define USER_CODE32_COMPAT 0x1b
#define USER_DATA64 0x23
#define USER_CODE64 0x2b
#define TSS64       0x30
#define CODE32_COMPAT 0x40
#define CODE16_COMPAT 0x48
#define SPARE64     0x50 // two entries that the guest may fill: gdt64_spare

// The condition CC must hold, or the guest fails here.
#define REQUIRE64(CC) \
	j##CC 771f; movl $__LINE__, %eax; jmp fail64; 771:

// OPERAND (of the size SUFFIX, at most 32 bits or sign-extended from them) must be equal to VALUE.
#define EXPECT64(SUFFIX, VALUE, OPERAND) \
	cmp##SUFFIX $(VALUE), OPERAND; REQUIRE64(e)

// The same for all 64 bits.
#define EXPECTQ(VALUE, OPERAND) \
	movabsq $(VALUE), %r15; cmpq %r15, OPERAND; REQUIRE64(e)

// INSTRUCTION must raise exception VECTOR with error code ERROR (0 where there is none).
#define EXPECT_TRAP64(VECTOR, ERROR, ...) \
	movq $772f, trap_resume64; movq %rsp, trap_stack64; \
	__VA_ARGS__; \
	movl $__LINE__, %eax; jmp fail64; \
	772: EXPECT64(q, VECTOR, trap_vector64); EXPECT64(q, ERROR, trap_error64)

// GDT, TSS and IDT of the runtime, a stack below the page tables at 0x9000.
#define START64 \
	.section .text.start, "ax"; .code64; .globl _start; _start: \
	movl $0x9000, %esp; call setup64

// Interrupt gate VECTOR leads to HANDLER. Clobbers %rax, %rdi.
#define GATE64(VECTOR, HANDLER) \
	movl $(VECTOR), %edi; movl $HANDLER, %eax; call set_gate64

// RDMSR/WRMSR of a 64-bit value; the value is in %rax. Clobber %rcx, %rdx.
#define READ_MSR(NUMBER)  movl $(NUMBER), %ecx; rdmsr; shlq $32, %rdx; orq %rdx, %rax
#define WRITE_MSR(NUMBER, VALUE) \
	movl $(NUMBER), %ecx; movl $((VALUE) & 0xffffffff), %eax; movl $(((VALUE) >> 32) & 0xffffffff), %edx; wrmsr

#endif
