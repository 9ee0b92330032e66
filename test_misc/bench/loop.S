// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Integer work in registers, a store and a load: 8 instructions a round, %rdi rounds.
	.section .text.start, "ax"
	.globl _start
_start:
	movl	$0x20000, %esi
1:	addq	%rdi, %rax
	xorq	%rax, %rdx
	leaq	5(%rax, %rdx, 2), %rbx
	movq	%rbx, (%rsi)
	addq	(%rsi), %rax
	shlq	$3, %rdx
	decq	%rdi
	jnz	1b
	hlt
