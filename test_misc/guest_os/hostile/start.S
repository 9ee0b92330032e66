// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Entered by Linux's 64-bit protocol: long mode, 4 GiB mapped onto themselves, interrupts off, boot_params in RSI.
	.text
	.globl _start
_start:
	lea stack_end(%rip), %rsp
	lgdt gdt_pointer(%rip)
	lea 1f(%rip), %rax
	push $0x10
	push %rax
	lretq
1:	mov $0x18, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %rsi, %rdi
	call hostile_main
1:	hlt
	jmp 1b

// An NMI, which a hostile guest sends to itself, and nothing else is expected.
	.globl vectors
	.p2align 5
vectors:
	.set number, 0
	.rept 32
	.p2align 5
	.if number == 2
	iretq
	.else
	mov $number, %edi
	mov (%rsp), %rsi
	mov 8(%rsp), %rdx
	mov %cr2, %rcx
	jmp hostile_exception
	.endif
	.set number, number + 1
	.endr

	.section .rodata
	.p2align 3
gdt:	.quad 0, 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
gdt_pointer:
	.word . - gdt - 1
	.quad gdt

	.bss
	.p2align 12
	.skip 16384
stack_end:
	.section .note.GNU-stack, "", @progbits
