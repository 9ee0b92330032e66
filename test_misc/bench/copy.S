// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Copies a page by REP MOVSQ: 5 instructions and 512 repetitions a round, %rdi rounds.
	.section .text.start, "ax"
	.globl _start
_start:
	movq	%rdi, %rbx
1:	movl	$512, %ecx
	movl	$0x20000, %esi
	movl	$0x30000, %edi
	rep	movsq
	decq	%rbx
	jnz	1b
	hlt
