// SPDX-License-Identifier: MIT OR GPL-2.0-only
// XSETBV and XGETBV, AVX state across exits, OSXSAVE in CPUID, wrong XCR0 values are #GP, #UD without CR4.OSXSAVE.
#include "long64.h"
	.set area, 0x14000
START64
	xorl %ecx, %ecx
	EXPECT_TRAP64(6, 0, xgetbv)
	movl $7, %eax
	xorl %edx, %edx
	EXPECT_TRAP64(6, 0, xsetbv)
	movl $1, %eax
	cpuid
	btl $27, %ecx
	REQUIRE64(nc)
	movq %cr4, %rax
	orl $0x40600, %eax
	movq %rax, %cr4
	movl $1, %eax
	cpuid
	btl $27, %ecx
	REQUIRE64(c)
	xorl %ecx, %ecx
	xgetbv
	EXPECT64(l, 1, %eax)
	EXPECT64(l, 0, %edx)
	EXPECT_TRAP64(6, 0, vzeroall)
	// Wrong: no x87, AVX without SSE, bits that don't exist, another XCR.
	xorl %eax, %eax
	EXPECT_TRAP64(13, 0, xsetbv)
	movl $2, %eax
	EXPECT_TRAP64(13, 0, xsetbv)
	movl $5, %eax
	EXPECT_TRAP64(13, 0, xsetbv)
	movl $3, %eax
	movl $0x80000000, %edx
	EXPECT_TRAP64(13, 0, xsetbv)
	xorl %edx, %edx
	movl $1, %ecx
	EXPECT_TRAP64(13, 0, xsetbv)
	xorl %ecx, %ecx
	xgetbv
	EXPECT64(l, 1, %eax)
	movl $7, %eax
	xsetbv
	xgetbv
	EXPECT64(l, 7, %eax)
	// All sixteen registers of 256 bits.
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqu pattern + \n(%rip), %ymm\n
	.endr
	outb %al, $0x42
	movl 0x20000000, %eax
	xorl %eax, %eax
	cpuid
	inb $0x42, %al
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqu %ymm\n, area + 32 * \n
	.endr
	cld
	xorl %ebx, %ebx
1:	leaq pattern(%rbx), %rsi
	movl %ebx, %edi
	shll $5, %edi
	addl $area, %edi
	movl $4, %ecx
	repe cmpsq
	REQUIRE64(e)
	incl %ebx
	cmpl $16, %ebx
	jb 1b
	// XSAVE, destroy, exit, XRSTOR.
	movl $7, %eax
	xorl %edx, %edx
	xsave area + 0x1000
	vzeroall
	outb %al, $0x42
	movl $7, %eax
	xrstor area + 0x1000
	vmovdqu %ymm9, area
	movq area + 24, %rax
	cmpq pattern + 9 + 24, %rax
	REQUIRE64(e)
	// XCR0 without AVX again: the registers' low halves stay.
	movl $3, %eax
	xorl %ecx, %ecx
	xorl %edx, %edx
	xsetbv
	outb %al, $0x42
	movdqu %xmm9, area
	movq area + 8, %rax
	cmpq pattern + 9 + 8, %rax
	REQUIRE64(e)
	EXPECT_TRAP64(6, 0, vzeroall)
	jmp pass64

pattern:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	.long 0x03020100 + 0x11111111 * \n
	.endr
