// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Far jumps, far calls and returns, call gates from ring 3 to ring 0 with parameters, conforming code.
#include "protected32.h"
START32
	lcall $CODE32, $far_routine
	EXPECT32(l, 0x1111, %eax)
	lcall *far_pointer
	EXPECT32(l, 0x1111, %eax)
	ljmp *far_target
	ud2
there:	// A call gate with two parameters, open to ring 3.
	movl $gate_routine, %eax
	movw %ax, gdt32_spare
	movw $CODE32, gdt32_spare + 2
	movw $0xec02, gdt32_spare + 4
	shrl $16, %eax
	movw %ax, gdt32_spare + 6
	pushl $5
	pushl $6
	lcall $SPARE32, $0
	EXPECT32(l, 11, %eax)
	movw $USER_DATA32, %ax
	movw %ax, %ds
	pushl $USER_DATA32
	pushl $0x8400
	pushl $2
	pushl $USER_CODE32
	pushl $ring3
	iretl
ring3:	pushl $30
	pushl $12
	lcall $SPARE32 + 3, $0
	EXPECT32(l, 42, %eax)
	EXPECT32(l, 0x8400, %esp)
	movl %cs, %eax
	EXPECT32(w, USER_CODE32, %ax)
	// What ring 3 may not call or load.
	EXPECT_TRAP32(13, CODE32, lcall $CODE32, $0)
	jmp pass32

far_routine:
	movl $0x1111, %eax
	lret

// The sum of two parameters. From ring 3 the stack is the TSS's.
gate_routine:
	outb %al, $0x42
	movl %cs, %eax
	EXPECT32(w, CODE32, %ax)
	movl 8(%esp), %eax
	addl 12(%esp), %eax
	lret $8

far_pointer: .long far_routine; .word CODE32
far_target:  .long there; .word CODE32
