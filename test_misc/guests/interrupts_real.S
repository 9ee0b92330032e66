// SPDX-License-Identifier: MIT OR GPL-2.0-only
// External interrupts in real mode: by KVM_INTERRUPT after OUT 0xe0, with IF set and clear, STI's and MOV SS's shadow, HLT.
#include "real16.h"
START16
	// IVT entries 0x20-0x23.
	movw $handler20, 0x20 * 4
	movw $handler21, 0x21 * 4
	movw $handler22, 0x22 * 4
	movw $handler23, 0x23 * 4
	// With IF set the interrupt comes before the instruction after OUT.
	sti
	movb $0x20, %al
	outb %al, $PORT_INTERRUPT
	EXPECT16(w, 1, count)
	EXPECT16(b, 0x20, log)
	// With IF clear it waits for STI and the one instruction after it.
	cli
	movb $0x21, %al
	outb %al, $PORT_INTERRUPT
	nop
	EXPECT16(w, 1, count)
	movw $0, %bx
	sti
	incw %bx                // in STI's shadow
after_shadow:
	incw %bx
	EXPECT16(w, 2, count)
	EXPECT16(w, after_shadow, interrupted)
	cli
	// Three in a queue: in order, each when the one before has returned.
	movb $0x22, %al
	outb %al, $PORT_INTERRUPT
	movb $0x23, %al
	outb %al, $PORT_INTERRUPT
	movb $0x20, %al
	outb %al, $PORT_INTERRUPT
	EXPECT16(w, 2, count)
	sti
	nop
	nop
	nop
	nop
	cli
	EXPECT16(w, 5, count)
	EXPECT16(b, 0x22, log + 2)
	EXPECT16(b, 0x23, log + 3)
	EXPECT16(b, 0x20, log + 4)
	// MOV SS holds interrupts off for one instruction too.
	movb $0x21, %al
	outb %al, $PORT_INTERRUPT
	movw %ss, %cx
	sti
	movw %cx, %ss
	nop
	nop
	cli
	EXPECT16(w, 6, count)
	// HLT with IF set wakes up.
	movb $0x22, %al
	outb %al, $PORT_INTERRUPT
	sti
	hlt
	cli
	EXPECT16(w, 7, count)
	EXPECT16(b, 0x22, log + 6)
	jmp pass16

	.macro handler vector
	pushw %ax
	movb $\vector, %al
	jmp logged
	.endm
handler20: handler 0x20
handler21: handler 0x21
handler22: handler 0x22
handler23: handler 0x23

// Stack: ax, ip, cs, flags.
logged:	pushw %bx
	movw count, %bx
	movb %al, log(%bx)
	incw count
	movw %sp, %bx
	movw %ss:4(%bx), %ax
	movw %ax, interrupted
	popw %bx
	popw %ax
	iretw

count:       .word 0
interrupted: .word 0
log:         .space 16
