// SPDX-License-Identifier: MIT OR GPL-2.0-only
// NMI by OUT 0xe1: taken with IF clear, blocked in its own handler until IRET, not blocked by another one's IRET.
#include "long64.h"
START64
	GATE64(2, handler)
	cli
	outb %al, $PORT_NMI
	nop
	EXPECT64(l, 1, count)
	// One that is raised in the handler waits for IRET.
	movl $1, again
	outb %al, $PORT_NMI
	nop
	EXPECT64(l, 3, count)
	EXPECT64(l, 1, deepest)
	// STI's shadow: the NMI comes after it at the latest, an external interrupt after the NMI's handler.
	movb $0x31, %al
	outb %al, $PORT_INTERRUPT
	outb %al, $PORT_NMI
	EXPECT64(l, 4, count)
	EXPECT64(l, 0, irq_count64)
	sti
	nop
	cli
	EXPECT64(l, 1, irq_count64)
	// An exception in the handler: its IRET unblocks NMIs, one that is raised after it nests.
	movl $2, again
	GATE64(3, breakpoint)
	outb %al, $PORT_NMI
	nop
	EXPECT64(l, 6, count)
	EXPECT64(l, 2, deepest)
	jmp pass64

handler:
	pushq %rax
	incl count
	incl depth
	movl depth, %eax
	cmpl %eax, deepest
	jae 1f
	movl %eax, deepest
1:	movl again, %eax
	movl $0, again
	cmpl $2, %eax
	jne 2f
	int3
2:	testl %eax, %eax
	jz 3f
	outb %al, $PORT_NMI
	nop
	nop
3:	decl depth
	popq %rax
	iretq

breakpoint:
	iretq

	.balign 4
count:   .long 0
again:   .long 0
depth:   .long 0
deepest: .long 0
