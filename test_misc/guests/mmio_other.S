// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Instructions on MMIO that aren't moves: LiKeX leaves them to user space, stock KVM's kernel side emulates them. Each one's
// flags go to a log in memory, results are checked here.
#include "long64.h"
	.set base, 0x20000000
	.set log, 0x14000
	.set text, 0x15000

// The arithmetic flags of the instruction before, to the log at %r14.
#define LOG_FLAGS \
	pushfq; popq (%r14); andq $0x8d5, (%r14); leaq 8(%r14), %r14

START64
	movl $base, %ebx
	movl $log, %r14d
	movq %cr4, %rax
	orl $0x600, %eax
	movq %rax, %cr4
	// Arithmetic with a load.
	.irp operation, add, or, adc, sbb, and, sub, xor
	movabsq $0x8123456789abcdef, %rax
	stc
	\operation\()q 0x10(%rbx), %rax
	LOG_FLAGS
	movq %rax, (%r14)
	addq $8, %r14
	movl $0x7fffff80, %eax
	stc
	\operation\()b 0x21(%rbx), %al
	LOG_FLAGS
	movq %rax, (%r14)
	addq $8, %r14
	.endr
	movl $0x100, %eax
	addl 0x30(%rbx), %eax
	EXPECTQ(0x100 + MMIO_LONG(base + 0x30), %rax)
	// Arithmetic that loads and stores.
	.irp operation, add, or, adc, sbb, and, sub, xor
	clc
	\operation\()l %eax, 0x40(%rbx)
	LOG_FLAGS
	\operation\()w $0x7f, 0x48(%rbx)
	LOG_FLAGS
	\operation\()b $0x80, 0x4b(%rbx)
	LOG_FLAGS
	.endr
	cmpl %eax, 0x50(%rbx)
	LOG_FLAGS
	cmpb $MMIO_BYTE(base + 0x58), 0x58(%rbx)
	REQUIRE64(e)
	testl $0x01020304, 0x60(%rbx)
	LOG_FLAGS
	testb %al, 0x63(%rbx)
	LOG_FLAGS
	notl 0x70(%rbx)
	negw 0x74(%rbx)
	LOG_FLAGS
	incb 0x76(%rbx)
	LOG_FLAGS
	decq 0x78(%rbx)
	LOG_FLAGS
	// Exchanges.
	movl $0x11223344, %ecx
	xchgl %ecx, 0x80(%rbx)
	EXPECTQ(MMIO_LONG(base + 0x80), %rcx)
	movl $MMIO_LONG(base + 0x90), %eax
	movl $0x55667788, %edx
	cmpxchgl %edx, 0x90(%rbx)
	REQUIRE64(e)
	movl $3, %ecx
	xaddl %ecx, 0xa0(%rbx)
	EXPECTQ(MMIO_LONG(base + 0xa0), %rcx)
	// Bits.
	btl $5, 0xb0(%rbx)
	pushfq
	andl $1, (%rsp)
	popq (%r14)
	addq $8, %r14
	btsl $5, 0xb4(%rbx)
	btrw $3, 0xb8(%rbx)
	btcq $9, 0xc0(%rbx)
	// The stack's other operand, and jumps.
	pushq 0xd0(%rbx)
	popq %rax
	EXPECTQ(MMIO_QUAD(base + 0xd0), %rax)
	pushq $0x1234
	popq 0xd8(%rbx)
	// Conditions.
	xorl %eax, %eax
	setz 0xe0(%rbx)
	movl $-1, %eax
	cmpl %eax, %eax
	cmovel 0xe4(%rbx), %eax
	EXPECTQ(MMIO_LONG(base + 0xe4), %rax)
	// Strings, one element and many, both directions.
	cld
	leaq 0x100(%rbx), %rdi
	movabsq $0x0123456789abcdef, %rax
	stosb
	stosl
	movl $3, %ecx
	rep stosw
	leaq 0x200(%rbx), %rsi
	movl $text, %edi
	movl $5, %ecx
	rep movsb
	lodsq
	EXPECTQ(MMIO_QUAD(base + 0x205), %rax)
	EXPECT64(b, MMIO_BYTE(base + 0x204), text + 4)
	movl $text + 4, %esi
	leaq 0x304(%rbx), %rdi
	std
	movl $5, %ecx
	rep movsb
	cld
	EXPECTQ(0, %rcx)
	leaq 0x340(%rbx), %rdi
	movl $MMIO_BYTE(base + 0x342), %eax
	movl $8, %ecx
	repne scasb
	REQUIRE64(e)
	EXPECTQ(base + 0x343, %rdi)
	// Vectors.
	movdqu 0x400(%rbx), %xmm1
	movq %xmm1, %rax
	EXPECTQ(MMIO_QUAD(base + 0x400), %rax)
	movups %xmm1, 0x420(%rbx)
	movaps %xmm1, 0x440(%rbx)
	movnti %rax, 0x460(%rbx)
	jmp pass64
