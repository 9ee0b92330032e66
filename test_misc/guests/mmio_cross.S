// SPDX-License-Identifier: MIT OR GPL-2.0-only
// MMIO accesses that lie on two pages: both without memory, or the first or second of them with memory.
#include "long64.h"
	.set hole, 0x20000000
START64
	// Hole and hole.
	movq hole + 0x1000 - 3, %rax
	EXPECTQ(MMIO_QUAD(hole + 0x1000 - 3), %rax)
	movl hole + 0x1000 - 1, %eax
	EXPECTQ(MMIO_LONG(hole + 0x1000 - 1), %rax)
	movzwl hole + 0x1000 - 1, %eax
	EXPECTQ(MMIO_WORD(hole + 0x1000 - 1), %rax)
	movabsq $0x0123456789abcdef, %rax
	movq %rax, hole + 0x2000 - 5
	movl %eax, hole + 0x2000 - 2
	movw %ax, hole + 0x2000 - 1
	movw $0x1122, hole + 0x2000 - 1
	// Memory, then a hole: slot 1 ends at 0x201000.
	movl $0x44332211, 0x200ffc
	movl 0x200ffe, %eax
	EXPECTQ(0x4433 | MMIO_WORD(0x201000) << 16, %rax)
	movq 0x200ffd, %rax
	EXPECTQ(0x443322 | (MMIO_LONG(0x201000) << 24) | MMIO_BYTE(0x201004) << 56, %rax)
	movl $0x88776655, 0x200ffe
	EXPECT64(l, 0x66552211, 0x200ffc)
	// A hole, then memory: slot 1 begins at 0x200000.
	movl $0x44332211, 0x200000
	movl 0x1fffff, %eax
	EXPECTQ(MMIO_BYTE(0x1fffff) | 0x33221100, %rax)
	movl $0x88776655, 0x1fffff
	EXPECT64(l, 0x44887766, 0x200000)
	jmp pass64
