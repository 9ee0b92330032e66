// SPDX-License-Identifier: MIT OR GPL-2.0-only
// I/O from ring 3: #GP without permission, an exit as usual where the TSS's bitmap or IOPL gives it.
#include "protected32.h"
	.set port_allowed, 0x60
	.set bitmap, 0x80
START32
	// A TSS with a bitmap that allows ports 0x60-0x67 only.
	movl $tss, %eax
	movw $bitmap + 0x2000, gdt32_spare
	movw %ax, gdt32_spare + 2
	movb $0x89, gdt32_spare + 5
	movl $0x8800, tss + 4
	movl $DATA32, tss + 8
	movw $bitmap, tss + 0x66
	movl $-1, %eax
	movl $tss + bitmap, %edi
	movl $0x2004 / 4, %ecx
	cld
	rep stosl
	movb $0, tss + bitmap + port_allowed / 8
	movw $SPARE32, %ax
	ltr %ax
	// Ring 3, IOPL 0.
	movl $1f, %ebx
	movl $0x2, %ecx
	call to_ring3
1:	inb $port_allowed, %al
	inl $port_allowed, %eax
	outw %ax, $port_allowed + 2
	movl $0x14000, %edi
	movw $port_allowed, %dx
	movl $3, %ecx
	rep insb
	EXPECT_TRAP32(13, 0, inb $0x70, %al)
	movl $2f, %ebx
	movl $0x2, %ecx
	call to_ring3
2:	EXPECT_TRAP32(13, 0, outl %eax, $0x66) // its last byte is not allowed
	movl $3f, %ebx
	movl $0x2, %ecx
	call to_ring3
3:	movw $PORT_OUTPUT, %dx
	movl $text, %esi
	EXPECT_TRAP32(13, 0, outsb)
	EXPECT32(l, text, %esi)
	// IOPL 3 allows all, and CLI and STI.
	movl $4f, %ebx
	movl $0x3002, %ecx
	call to_ring3
4:	movw $PORT_OUTPUT, %dx
	movl $text, %esi
	movl $text_end - text, %ecx
	rep outsb
	sti
	cli
	EXPECT_TRAP32(13, 0, hlt)
	jmp pass32

// Goes on at %ebx in ring 3 with EFLAGS %ecx.
to_ring3:
	addl $4, %esp
	movw $USER_DATA32, %ax
	movw %ax, %ds
	movw %ax, %es
	pushl $USER_DATA32
	pushl $0x8400
	pushl %ecx
	pushl $USER_CODE32
	pushl %ebx
	iretl

text: .ascii "ring3 "
text_end:
	.set tss, 0x5000
