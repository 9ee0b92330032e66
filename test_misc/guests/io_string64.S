// SPDX-License-Identifier: MIT OR GPL-2.0-only
// INS and OUTS in long mode: addresses of 64 and 32 bits, REP across pages, elements across pages, high halves of registers.
#include "long64.h"
	.set buffer, 0x14000
START64
	cld
	movw $0x60, %dx
	// More than a page, across two page boundaries: each byte is the machine's next one.
	movl $buffer - 3, %edi
	movl $0x1008, %ecx
	rep insb
	EXPECT64(q, 0, %rcx)
	EXPECT64(q, buffer + 0x1005, %rdi)
	movl $buffer - 3, %edi
	movb $IN_BYTE(0), %al
1:	cmpb %al, (%rdi)
	REQUIRE64(e)
	addb $7, %al
	incl %edi
	cmpl $buffer + 0x1005, %edi
	jb 1b
	movb %al, next
	// Elements that lie on two pages.
	movl $buffer + 0x2000 - 1, %edi
	insw
	movl $buffer + 0x3000 - 3, %edi
	movl $2, %ecx
	rep insl
	EXPECT64(q, buffer + 0x3005, %rdi)
	movl $buffer + 0x2000 - 1, %edi
	movl $2, %ecx
	call check_bytes
	movl $buffer + 0x3000 - 3, %edi
	movl $8, %ecx
	call check_bytes
	// Backward over a page boundary.
	std
	movl $buffer + 0x4004, %edi
	movl $4, %ecx
	rep insl
	cld
	EXPECT64(q, buffer + 0x3ff4, %rdi)
	movl $buffer + 0x4004, %edi
	movl $4, %ecx
	call check_bytes
	movl $buffer + 0x4000, %edi
	movl $4, %ecx
	call check_bytes
	movl $buffer + 0x3ffc, %edi
	movl $4, %ecx
	call check_bytes
	movl $buffer + 0x3ff8, %edi
	movl $4, %ecx
	call check_bytes
	// 32-bit addresses: high halves of rdi and rcx are not looked at. With count and index written, they are cleared.
	movabsq $0x7700000000014100, %rdi
	movabsq $0x7700000000000002, %rcx
	addr32 rep insw
	EXPECT64(q, 0x14104, %rdi)
	EXPECT64(q, 0, %rcx)
	movl $0x14100, %edi
	movl $4, %ecx
	call check_bytes
	// OUTS across a page, of every size, and through %gs.
	movl $text, %esi
	movl $buffer + 0x5000 - 5, %edi
	movl $text_end - text, %ecx
	rep movsb
	movw $PORT_OUTPUT, %dx
	movl $buffer + 0x5000 - 5, %esi
	movl $2, %ecx
	rep outsl
	movl $3, %ecx
	rep outsw
	outsb
	EXPECT64(q, buffer + 0x5000 + 10, %rsi)
	movl $0x1000, %eax
	xorl %edx, %edx
	movl $0xc0000101, %ecx
	wrmsr
	movw $PORT_OUTPUT, %dx
	movl $through_gs - 0x1000, %esi
	movl $3, %ecx
	rep outsb %gs:(%rsi), %dx
	EXPECT64(q, through_gs - 0x1000 + 3, %rsi)
	// With 32-bit addresses.
	movabsq $0x1100000000000000 + through_gs, %rsi
	movl $3, %ecx
	addr32 rep outsb
	EXPECT64(q, through_gs + 3, %rsi)
	jmp pass64

// %ecx bytes at %rdi must be the machine's next ones.
check_bytes:
	movb next, %al
1:	cmpb %al, (%rdi)
	REQUIRE64(e)
	addb $7, %al
	incq %rdi
	decl %ecx
	jnz 1b
	movb %al, next
	ret

next: .byte 0
text: .ascii "0123456789abcde"
text_end:
through_gs: .ascii "gs\n"
