// SPDX-License-Identifier: MIT OR GPL-2.0-only
// LiKeX's own test guest: prints rax + rbx as one digit, executes CPUID, halts. Loaded at 0 with rax = rbx = 2.
	.globl guest_load, _start
	.set guest_load, 0
	.section .text.start, "ax"
	.code16
_start:
	movw $0x3f8, %dx
	addb %bl, %al
	addb $'0', %al
	outb %al, %dx
	movb $'\n', %al
	outb %al, %dx
	movl $0, %eax
	cpuid
	hlt
