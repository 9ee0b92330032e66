// SPDX-License-Identifier: MIT OR GPL-2.0-only
// x87 and SSE state keeps across exits: stack, control words, all sixteen registers, by FXSAVE too.
#include "long64.h"
	.set area, 0x14000
START64
	movq %cr4, %rax
	orl $0x600, %eax
	movq %rax, %cr4
	fninit
	fldcw control
	ldmxcsr sse_control
	fldpi
	fldl2e
	fld1
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu pattern + \n(%rip), %xmm\n
	.endr
	fxsaveq area
	// An exit to user space, MMIO, CPUID and one to the kernel.
	outb %al, $0x42
	movl 0x20000000, %eax
	xorl %eax, %eax
	cpuid
	inl $0x44, %eax
	fxsaveq area + 0x200
	movl $area, %esi
	movl $area + 0x200, %edi
	movl $0x1a0 / 8, %ecx       // header, x87 and XMM registers
	cld
	repe cmpsq
	REQUIRE64(e)
	// Each register by itself.
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu %xmm\n, area + 0x400
	movq area + 0x400, %rax
	cmpq pattern + \n(%rip), %rax
	REQUIRE64(e)
	movq area + 0x408, %rax
	cmpq pattern + 8 + \n(%rip), %rax
	REQUIRE64(e)
	.endr
	fnstcw area + 0x400
	EXPECT64(w, 0x27f, area + 0x400)
	stmxcsr area + 0x400
	EXPECT64(l, 0x5f80, area + 0x400)
	// 1, log2(e), pi are on the stack still; computing goes on.
	fistpl area + 0x400
	EXPECT64(l, 1, area + 0x400)
	fmulp
	fistpl area + 0x400         // pi * log2(e) = 4.53
	EXPECT64(l, 5, area + 0x400)
	// A sum of floats with an exit at each step.
	xorps %xmm0, %xmm0
	movl $1, %ecx
1:	cvtsi2sd %ecx, %xmm1
	addsd %xmm1, %xmm0
	outb %al, $0x42
	incl %ecx
	cmpl $20, %ecx
	jbe 1b
	cvttsd2si %xmm0, %eax
	EXPECT64(l, 210, %eax)
	jmp pass64

	.balign 4
sse_control: .long 0x5f80           // round up
control:     .word 0x27f            // 53 bits of precision
pattern:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7
	.long 0x03020100 + 0x11111111 * \n
	.endr
