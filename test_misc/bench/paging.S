// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Page tables: each round loads CR3 twice and has INVLPG twice; after each load of CR3, 64 pages of 4 KiB are written that the
// TLB can't know any more. 530 instructions a round, %rdi rounds.
	.set	first, 0x20000		// two PML4s, and below each a PDPT, a directory and a table
	.set	second, 0x30000
	.set	window, 0x200000	// where both map 64 pages, to different memory
	.section .text.start, "ax"
	.globl _start
_start:
	movl	$0x9000, %esp
	movl	$first, %ebx
	movl	$0x100003, %eax
	call	build
	movl	$second, %ebx
	movl	$0x140003, %eax
	call	build
again:
	movl	$first, %eax
	call	touch
	movl	$second, %eax
	call	touch
	decq	%rdi
	jnz	again
	hlt

// 262 instructions, of which 64 are the first to use a translation, and one more after INVLPG.
touch:
	movq	%rax, %cr3
	movl	$window, %esi
	movl	$64, %ecx
1:	addq	%rcx, (%rsi)
	addq	$0x1000, %rsi
	decl	%ecx
	jnz	1b
	invlpg	window
	movq	%rax, window
	ret

// Tables at %rbx: the first 2 MiB mapped to themselves by one page, the window to pages from %rax on.
build:
	leal	0x1003(%rbx), %edx
	movq	%rdx, (%rbx)
	leal	0x2003(%rbx), %edx
	movq	%rdx, 0x1000(%rbx)
	movq	$0x83, 0x2000(%rbx)
	leal	0x3003(%rbx), %edx
	movq	%rdx, 0x2008(%rbx)
	xorl	%ecx, %ecx
1:	movq	%rax, 0x3000(%rbx, %rcx, 8)
	addl	$0x1000, %eax
	incl	%ecx
	cmpl	$64, %ecx
	jb	1b
	ret
