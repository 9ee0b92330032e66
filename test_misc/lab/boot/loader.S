// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Starts a kernel that lies uncompressed behind this code, in place of the decompressor of Debian's bzImage, which costs
 * 800 million emulated instructions on 6.12. machine/flat_kernel.py puts the two together.
 *
 * Entered as any bzImage is: at 0x100000, 32-bit protected mode, flat segments, interrupts off, ESI = boot parameters.
 * Leaves as Linux's 64-bit boot protocol wants: long mode, the first 4 GiB mapped onto themselves, CS = 0x10, data
 * segments 0x18, interrupts off, RSI = boot parameters.
 */

#define BASE     0x100000
#define EFER     0xc0000080
#define AT(name) (BASE + (name) - start)

	.text
	.code32
	.globl start
start:
	cli
	lgdt	AT(gdt_pointer)
	mov	%cr4, %eax
	or	$(1 << 5), %eax			/* PAE */
	mov	%eax, %cr4
	mov	$AT(pml4), %eax
	mov	%eax, %cr3
	mov	$EFER, %ecx
	rdmsr
	or	$(1 << 8), %eax			/* LME */
	wrmsr
	mov	%cr0, %eax
	or	$(1 << 31 | 1), %eax		/* PG, PE */
	mov	%eax, %cr0
	ljmp	$0x10, $AT(long_mode)

	.code64
long_mode:
	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%esi, %ebx			/* boot parameters; clears the upper half too */

	/* The kernel's place is above what is copied there and they overlap: from the last quadword down. */
	mov	AT(copy_from), %rsi
	mov	AT(copy_to), %rdi
	mov	AT(copy_quadwords), %rcx
	lea	-8(%rsi,%rcx,8), %rsi
	lea	-8(%rdi,%rcx,8), %rdi
	std
	rep movsq
	cld

	mov	AT(zero_from), %rdi
	mov	AT(zero_quadwords), %rcx
	xor	%eax, %eax
	rep stosq

	mov	%rbx, %rsi
	mov	AT(entry), %rax
	jmp	*%rax

	.balign	8
gdt:	.quad	0, 0
	.quad	0x00af9a000000ffff		/* 0x10: 64-bit code */
	.quad	0x00cf92000000ffff		/* 0x18: data */
gdt_pointer:
	.word	. - gdt - 1
	.long	AT(gdt)

	/* Filled in by flat_kernel.py, in this order. */
	.org	start + 0x800
copy_from:	.quad	0
copy_to:	.quad	0
copy_quadwords:	.quad	0
zero_from:	.quad	0
zero_quadwords:	.quad	0
entry:		.quad	0

	.balign	4096
pml4:	.quad	AT(pdpt) + 3
	.balign	4096
pdpt:
	.set	i, 0
	.rept	4
	.quad	AT(pd) + 4096 * i + 3
	.set	i, i + 1
	.endr
	.balign	4096
pd:
	.set	i, 0
	.rept	4 * 512
	.quad	i * 0x200000 + 0x83		/* 2 MiB, present and writable */
	.set	i, i + 1
	.endr
	.balign	4096
