// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Virtual-8086 mode: 16-bit code under paging-less protected mode; INT and CLI are #GP, I/O follows the TSS's bitmap.
#include "protected32.h"
	.set tss, 0x5000
	.set bitmap, 0x80
START32
	// A TSS whose bitmap allows all ports but 0x70-0x77.
	movw $bitmap + 0x2000, gdt32_spare
	movw $tss, gdt32_spare + 2
	movb $0x89, gdt32_spare + 5
	movl $0x8800, tss + 4
	movl $DATA32, tss + 8
	movw $bitmap, tss + 0x66
	movb $0xff, tss + bitmap + 0x70 / 8
	movb $0xff, tss + bitmap + 0x2000
	movl $SPARE32, %eax
	ltr %ax
	GATE32(13, general_protection)
	movl $0, stage
	pushl $0            // gs
	pushl $0x1500       // fs
	pushl $0x1400       // ds
	pushl $0x1300       // es
	pushl $0            // ss
	pushl $0x8400
	pushl $0x20002      // EFLAGS: VM
	pushl $0
	pushl $in_v8086
	iretl

	.code16
in_v8086:
	movw $0x1234, %ax
	movw %ax, 0x10
	movb %ah, %es:0x20
	movw $0x60, %dx
	outb %al, %dx
	movb $0xa5, %al
	movw $0x42, %dx
	inb %dx, %al
	movb %al, %fs:0x30
at_cli:	cli
	nop
at_port:
	inb $0x70, %al
at_int:	int $0x21
	ud2

	.code32
// Stack: error, eip, cs, eflags, esp, ss, es, ds, fs, gs.
general_protection:
	addl $4, %esp
	testl $0x20000, 8(%esp)
	REQUIRE32(nz)
	movl $DATA32, %eax
	movw %ax, %ds
	incl stage
	cmpl $1, stage
	je after_cli
	cmpl $2, stage
	je after_port
	EXPECT32(l, at_int, 0(%esp))
	EXPECT32(w, 0x1234, 0x14010)
	EXPECT32(b, 0x12, 0x13020)
	EXPECT32(b, IN_BYTE(0), 0x15030)
	EXPECT32(l, 0x8400, 12(%esp))
	movw %ax, %es
	jmp pass32
after_cli:
	EXPECT32(l, at_cli, 0(%esp))
	incl (%esp)
	iretl
after_port:
	EXPECT32(l, at_port, 0(%esp))
	addl $2, (%esp)
	iretl

stage: .long 0
