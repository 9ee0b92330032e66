// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Code that changes itself: ahead of itself, in a loop, by another mapping of the same page, and by INS from a port.
#include "long64.h"
	.set copy, 0x14000
	.set table, 0x23000
START64
	// An immediate that is rewritten each time round.
	movl $0, %ebx
	movl $10, %ecx
1:	movl %ecx, immediate
	jmp 2f
2:	.byte 0x81, 0xc3            // ADD $imm32, %ebx
immediate:
	.long 0
	decl %ecx
	jnz 1b
	EXPECT64(l, 55, %ebx)
	// DEC %eax, a few instructions ahead, becomes INC %eax.
movw $0xc0ff, patched      // INC %eax
	movl $0, %eax
	cpuid
	movl $5, %eax
patched:
	.byte 0xff, 0xc8
	EXPECT64(l, 6, %eax)
	// Code that is built from data, called, changed, called again.
	movl $0xc3, copy + 5
	movb $0xb8, copy            // MOV $imm32, %eax; RET
	movl $0x1111, copy + 1
	movl $copy, %r12d
	call *%r12
	EXPECT64(l, 0x1111, %eax)
	movl $0x2222, copy + 1
	call *%r12
	EXPECT64(l, 0x2222, %eax)
	// The store goes through another virtual address.
	movq $table + 3, 0xb010     // virtual 0x400000
	movq $copy + 3, table
	movq %cr3, %rax
	movq %rax, %cr3
	movl $0x3333, 0x400001
	movl $0, %eax
	cpuid
	call *%r12
	EXPECT64(l, 0x3333, %eax)
	movl $0x400000, %ebp
	movl $0x4444, copy + 1
	movl $0, %eax
	cpuid
	call *%rbp
	EXPECT64(l, 0x4444, %eax)
	// The operand comes from a port, stored by the hypervisor: the first four bytes it gives.
	movl $copy + 1, %edi
	movw $0x60, %dx
	insl
	movl $copy, %r12d
	call *%r12
	EXPECTQ(IN_LONG(0), %rax)
	jmp pass64
