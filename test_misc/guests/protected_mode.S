// SPDX-License-Identifier: MIT OR GPL-2.0-only
// From real mode to protected mode and back, twice; segment bases and limits; #GP and #SS at the limits; unreal mode.
#include "real16.h"
#include "protected32.h"
	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movl $0x9000, %esp
	smsww %ax
	testb $1, %al
	REQUIRE16(z)
	call enter_and_leave
	call enter_and_leave
	EXPECT16(b, 2, visits)
	// Unreal mode: %fs keeps the limit of 4 GiB, 1 MiB and more can be reached from real mode.
	lgdtl gdt32_register
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	movw $DATA32, %bx
	movw %bx, %fs
	andb $0xfe, %al
	movl %eax, %cr0
	movl $0x200000, %ebx
	movl $0xfeedf00d, %fs:(%ebx)
	EXPECT16(l, 0xfeedf00d, %fs:(%ebx))
	jmp pass16

enter_and_leave:
	cli
	lgdtl gdt32_register
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $CODE32, $protected

	.code32
protected:
	movl $DATA32, %eax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	call setup_idt32
	incb visits
	smsww %ax
	testb $1, %al
	REQUIRE32(nz)
	// A data segment of 16 bytes at 0x8100.
	movl $0x8100000f, gdt32_spare
	movl $0x00409300, gdt32_spare + 4
	movl $SPARE32, %eax
	movw %ax, %es
	movl $0x11111111, %es:0
	movl $0x22222222, %es:12
	EXPECT32(l, 0x11111111, 0x8100)
	EXPECT32(l, 0x22222222, 0x810c)
	EXPECT_TRAP32(13, 0, movl $1, %es:13)
	EXPECT_TRAP32(13, 0, movb $1, %es:16)
	// Expanding down: what lies above the limit.
	movl $0x00409700, gdt32_spare + 4
	movw %ax, %es
	EXPECT_TRAP32(13, 0, movb $1, %es:15)
	movb $0x77, %es:16
	EXPECT32(b, 0x77, 0x8110)
	// A read-only segment.
	movl $0x00409100, gdt32_spare + 4
	movl $SPARE32, %eax
	movw %ax, %es
	EXPECT32(b, 0x11, %es:0)
	EXPECT_TRAP32(13, 0, movb $1, %es:0)
	// Not present, a null selector, a selector beyond the table.
	movl $0x00401100, gdt32_spare + 4
	movl $SPARE32, %eax
	EXPECT_TRAP32(11, SPARE32, movw %ax, %es)
	xorl %eax, %eax
	movw %ax, %es
	EXPECT_TRAP32(13, 0, movb %es:0, %al)
	movl $0x1000, %eax
	EXPECT_TRAP32(13, 0x1000, movw %ax, %es)
	EXPECT_TRAP32(13, 0, movw %ax, %cs:0)
	// The stack's limit: #SS.
	movl $0x00409300, gdt32_spare + 4
	movl $SPARE32, %eax
	movw %ax, %gs
	EXPECT_TRAP32(13, 0, movb %gs:0x10, %al)
	movl $0x00008fff, gdt32_spare + 8
	movl $0x00409300, gdt32_spare + 12
	movl $SPARE32 + 8, %eax
	movw %ax, %ss
	EXPECT_TRAP32(12, 0, movb %ss:0x9000, %al)
	movl %ss:0x8ffc, %eax
	EXPECT_TRAP32(12, 0, movl %ss:0x8ffd, %eax)
	// Back: 16-bit segments first, then CR0.PE off.
	ljmpl $CODE16, $leave

	.code16
leave:	movw $DATA16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movw %ax, %ss
	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmpw $0, $real
real:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw %ax, %fs
	movw %ax, %gs
	lidtl real_idt
	retw

real_idt:
	.word 0x3ff
	.long 0
visits:	.byte 0
