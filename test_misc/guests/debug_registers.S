// SPDX-License-Identifier: MIT OR GPL-2.0-only
// DR0-3, DR6, DR7: kept across exits; breakpoints on code, data and both at once caught by #DB; DR4 and DR5; DR7.GD.
#include "long64.h"
	.set watched, 0x14000
START64
	// Values are read back, after an exit too.
	movabsq $0x1111222233334444, %rax
	movq %rax, %dr0
	movabsq $0xffff888000001000, %rbx
	movq %rbx, %dr1
	movl $0x5555, %ecx
	movq %rcx, %dr2
	movl $0x6666, %edx
	movq %rdx, %dr3
	outb %al, $0x42
	movl 0x20000000, %esi
	movq %dr0, %rsi
	cmpq %rax, %rsi
	REQUIRE64(e)
	movq %dr1, %rsi
	cmpq %rbx, %rsi
	REQUIRE64(e)
	movq %dr2, %rsi
	cmpq %rcx, %rsi
	REQUIRE64(e)
	movq %dr3, %r9
	cmpq %rdx, %r9
	REQUIRE64(e)
	movq %dr6, %rax
	EXPECTQ(0xffff0ff0, %rax)
	movq %dr7, %rax
	EXPECTQ(0x400, %rax)
	xorl %eax, %eax
	movq %rax, %dr2
	movq %rax, %dr3
	// An instruction breakpoint: a fault before the instruction.
	movl $target, %eax
	movq %rax, %dr0
	movl $0x402, %eax
	movq %rax, %dr7
	movl $0, %ebx
	EXPECT_TRAP64(1, 0, target: incl %ebx)
	EXPECT64(l, 0, %ebx)
	EXPECT64(q, target, trap_rip64)
	movq %dr6, %rax
	EXPECTQ(0xffff0ff1, %rax)
	// A data breakpoint on a store of 4 bytes: a trap after it. Loads don't count.
	movl $0xffff0ff0, %eax
	movq %rax, %dr6
	movl $watched, %eax
	movq %rax, %dr1
	movl $0x00d00408, %eax      // G1, write, 4 bytes
	movq %rax, %dr7
	movl watched, %ecx
	movl $1, watched + 4
	EXPECT_TRAP64(1, 0, movw $0x1234, watched + 2; behind_store: nop)
	EXPECT64(q, behind_store, trap_rip64)
	EXPECT64(l, 0x12340000, watched)
	movq %dr6, %rax
	EXPECTQ(0xffff0ff2, %rax)
	// The registers still hold after an exit.
	movl $0xffff0ff0, %eax
	movq %rax, %dr6
	outb %al, $0x42
	cpuid
	EXPECT_TRAP64(1, 0, movb $1, watched)
	// A read/write breakpoint of 8 bytes by DR3, and DR1 at the same place: both bits.
	movl $0xffff0ff0, %eax
	movq %rax, %dr6
	movl $watched, %eax
	movq %rax, %dr3
	movl $0xb0d00488, %eax
	movq %rax, %dr7
	EXPECT_TRAP64(1, 0, incl watched)
	movq %dr6, %rax
	EXPECTQ(0xffff0ffa, %rax)
	movl $0x400, %eax
	movq %rax, %dr7
	incl watched
	// DR4 and DR5 are DR6 and DR7 without CR4.DE, and #UD with it.
	movl $0xffff0ff0, %eax
	movq %rax, %dr6
	.byte 0x0f, 0x21, 0xe0      // MOV %dr4, %rax
	EXPECTQ(0xffff0ff0, %rax)
	movq %cr4, %rax
	orb $8, %al
	movq %rax, %cr4
	EXPECT_TRAP64(6, 0, .byte 0x0f, 0x21, 0xe0)
	EXPECT_TRAP64(6, 0, .byte 0x0f, 0x23, 0xe8)
	// High halves of DR6 and DR7 must be zero.
	movabsq $0x100000400, %rax
	EXPECT_TRAP64(13, 0, movq %rax, %dr7)
	EXPECT_TRAP64(13, 0, movq %rax, %dr6)
	// DR7.GD: the next access is #DB with DR6.BD, and GD is cleared.
	movl $0x2400, %eax
	movq %rax, %dr7
	EXPECT_TRAP64(1, 0, movq %dr0, %rax)
	movq %dr7, %rax
	EXPECTQ(0x400, %rax)
	movq %dr6, %rax
	EXPECTQ(0xffff2ff0, %rax)
	jmp pass64
