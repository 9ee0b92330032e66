// SPDX-License-Identifier: MIT OR GPL-2.0-only
// EFLAGS.TF: #DB after each instruction, those that leave to the hypervisor (OUT, IN, CPUID, RDMSR, MMIO, MOV CR) too.
#include "long64.h"
START64
	GATE64(1, stepped)
	movl $addresses, %ebp
	movl $0x20000000, %ebx
	movl $0x1b, %ecx
	pushfq
	orl $0x100, (%rsp)
	popfq
s0:	nop
s1:	outb %al, $0x42
s2:	inb $0x42, %al
s3:	movl (%rbx), %eax
s4:	movl %eax, (%rbx)
s5:	rdmsr
s6:	movq %cr4, %rax
s7:	movq %rax, %cr4
s8:	movq %cr8, %rax
s9:	xorl %eax, %eax
s10:	cpuid
s11:	pushfq
s12:	andl $~0x100, (%rsp)
s13:	popfq
s14:	nop
	movl $addresses, %esi
	cld
	.irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
	lodsl
	EXPECT64(l, s\n, %eax)
	.endr
	cmpl %esi, %ebp
	REQUIRE64(e)
	EXPECT64(l, 0, wrong_dr6)
	jmp pass64

// Notes where each step ended; DR6 must say single step.
stepped:
	pushq %rax
	movq 8(%rsp), %rax
	movl %eax, (%rbp)
	addl $4, %ebp
	movq %dr6, %rax
	cmpl $0xffff4ff0, %eax
	je 1f
	incl wrong_dr6
1:	movl $0xffff0ff0, %eax
	movq %rax, %dr6
	popq %rax
	iretq

	.balign 4
wrong_dr6: .long 0
addresses: .space 96
