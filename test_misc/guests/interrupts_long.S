// SPDX-License-Identifier: MIT OR GPL-2.0-only
// External interrupts in long mode: queue, window, shadow, HLT, from ring 3, with IST, nested; state is kept.
#include "long64.h"
START64
	// At once, with every register kept.
	movabsq $0x1111111111111111, %rbx
	movq $-2, %r8
	movb $0x30, %al
	sti
	outb %al, $PORT_INTERRUPT
	cli
	EXPECT64(l, 1, irq_count64)
	EXPECT64(b, 0x30, irq_log64)
	EXPECTQ(0x1111111111111111, %rbx)
	EXPECT64(q, -2, %r8)
	// A queue of four while IF is clear.
	movb $0x3f, %al
	outb %al, $PORT_INTERRUPT
	movb $0x21, %al
	outb %al, $PORT_INTERRUPT
	movb $0x38, %al
	outb %al, $PORT_INTERRUPT
	movb $0x20, %al
	outb %al, $PORT_INTERRUPT
	EXPECT64(l, 1, irq_count64)
	sti
	nop
	nop
	nop
	nop
	nop
	cli
	EXPECT64(l, 5, irq_count64)
	EXPECT64(l, 0x2038213f, irq_log64 + 1)
	// POPFQ opens the window without a shadow.
	movb $0x22, %al
	outb %al, $PORT_INTERRUPT
	pushq $0x202
	popfq
after_popf:
	nop
	cli
	EXPECT64(l, 6, irq_count64)
	// STI then CLI: no window at all.
	movb $0x23, %al
	outb %al, $PORT_INTERRUPT
	sti
	cli
	nop
	EXPECT64(l, 6, irq_count64)
	// STI; HLT: taken, the shadow ends with HLT.
	sti
	hlt
	cli
	EXPECT64(l, 7, irq_count64)
	// On a stack of its own (IST 1).
	GATE64(0x28, on_ist)
	movb $1, 0x10000 + 0x28 * 16 + 4
	movb $0x28, %al
	sti
	outb %al, $PORT_INTERRUPT
	cli
	EXPECT64(q, 0x8400 - 40, stack_seen)
	// Nested: the handler of 0x29 opens the window for 0x2a.
	GATE64(0x29, nested)
	movb $0x29, %al
	outb %al, $PORT_INTERRUPT
	movb $0x2a, %al
	outb %al, $PORT_INTERRUPT
	sti
	nop
	cli
	EXPECT64(l, 8, irq_count64)
	EXPECT64(b, 0x2a, irq_log64 + 7)
	EXPECT64(l, 1, nested_done)
	// From ring 3.
	movq $0xa007, 0x9000
	movq $0xb007, 0xa000
	movq $0x87, 0xb000
	movq %cr3, %rax
	movq %rax, %cr3
	movb $0x2b, %al
	outb %al, $PORT_INTERRUPT
	pushq $USER_DATA64
	pushq $0x8600
	pushq $0x202
	pushq $USER_CODE64
	pushq $ring3
	iretq
ring3:	nop
	EXPECT64(l, 9, irq_count64)
	EXPECT64(b, 0x2b, irq_log64 + 8)
	movw %cs, %ax
	EXPECT64(w, USER_CODE64, %ax)
	int $0x20
	EXPECT64(l, 10, irq_count64)
	EXPECT_TRAP64(13, 0, cli)
	jmp pass64

on_ist:	movq %rsp, stack_seen
	iretq

nested:	sti
	nop
	nop
	cli
	cmpl $8, irq_count64
	jne 1f
	incl nested_done
1:	iretq

	.balign 8
stack_seen:  .quad 0
nested_done: .long 0
