// SPDX-License-Identifier: MIT OR GPL-2.0-only
// INT n, INT3, INTO, BOUND and INT1 in protected mode: what is pushed, gates' privileges, trap gates keep IF.
#include "protected32.h"
START32
	// Frames: INT n pushes the address behind it.
	EXPECT_TRAP32(3, 0, int3)
	EXPECT_TRAP32(3, 0, int $3)
	movl $0x7fffffff, %eax
	addl $1, %eax
	EXPECT_TRAP32(4, 0, into)
	movl $0, %eax
	addl $1, %eax
	into
	movl $5, %eax
	bound %eax, limits
	movl $10, %eax
	EXPECT_TRAP32(5, 0, bound %eax, limits)
	movl $-1, %eax
	EXPECT_TRAP32(5, 0, bound %eax, limits)
	int $0x21
	EXPECT32(l, 1, irq_count32)
	EXPECT32(b, 0x21, irq_log32)
	GATE32(0x22, note_frame)
	int $0x22
behind:	EXPECT32(l, behind, frame_eip)
	EXPECT32(l, CODE32, frame_cs)
	movl $trap_at, %ebx
	EXPECT_TRAP32(6, 0, trap_at: ud2)
	cmpl %ebx, trap_eip32
	REQUIRE32(e)
	EXPECT_TRAP32(3, 0, break_at: int3; break_end:)
	EXPECT32(l, break_end, trap_eip32)
	// An interrupt gate clears IF, a trap gate keeps it.
	sti
	int $0x22
	EXPECT32(l, 0, frame_if)
	movw $0xef00, 0x10000 + 0x22 * 8 + 4
	int $0x22
	EXPECT32(l, 0x200, frame_if)
	cli
	// Beyond the table, a gate that isn't present, a null gate.
	EXPECT_TRAP32(13, 0x202, int $0x40)
	movw $0x6e00, 0x10000 + 0x22 * 8 + 4
	EXPECT_TRAP32(11, 0x112, int $0x22)
	movw $0xe000, 0x10000 + 0x22 * 8 + 4
	EXPECT_TRAP32(13, 0x112, int $0x22)
	// From ring 3 a gate with DPL 0 is closed; INT3 to such a gate too.
	movw $0x8e00, 0x10000 + 0x23 * 8 + 4
	movl $1f, %ebx
	call to_ring3
1:	int $0x21
	EXPECT32(l, 2, irq_count32)
	EXPECT_TRAP32(13, 0x11a, int $0x23)
	movw $0x8e00, 0x10000 + 3 * 8 + 4
	movl $2f, %ebx
	call to_ring3
2:	EXPECT_TRAP32(13, 0x1a, int3)
	jmp pass32

note_frame:
	pushl %eax
	movl 4(%esp), %eax
	movl %eax, frame_eip
	movl 8(%esp), %eax
	movl %eax, frame_cs
	pushfl
	popl %eax
	andl $0x200, %eax
	movl %eax, frame_if
	popl %eax
	iretl

// Goes on at %ebx in ring 3.
to_ring3:
	addl $4, %esp
	movw $USER_DATA32, %ax
	movw %ax, %ds
	movw %ax, %es
	pushl $USER_DATA32
	pushl $0x8400
	pushl $2
	pushl $USER_CODE32
	pushl %ebx
	iretl

	.balign 4
limits:    .long 0, 9
frame_eip: .long 0
frame_cs:  .long 0
frame_if:  .long 0
