// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Ends by a status of 32 bits on port 0xf4.
	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	movl $0xdeadbeef, %eax
	outl %eax, $0xf4
	hlt
