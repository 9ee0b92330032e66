// SPDX-License-Identifier: MIT OR GPL-2.0-only
// MMIO stores in long mode: sizes, registers, immediates, addressing forms. What leaves is in the trace of exits.
#include "long64.h"
	.set base, 0x20000000
START64
	movl $base, %ebx
	movq %rbx, %r13
	movl $0x80, %r12d
	movabsq $0x0123456789abcdef, %rax
	movabsq $0xfedcba9876543210, %r9
	// Sizes and registers.
	movb %al, (%rbx)
	movw %ax, 1(%rbx)
	movl %eax, 2(%rbx)
	movq %rax, 3(%rbx)
	movb %ah, 4(%rbx)
	movb %r9b, (%r13)
	movw %r9w, 0x10(%r13)
	movl %r9d, 0x1000(%r13)
	movq %r9, (%r13,%r12,8)
	movb %sil, 5(%rbx)
	movb %spl, 6(%rbx)
	movq %rsp, 8(%rbx)
	// Immediates; the one of 64 bits is sign-extended from 32.
	movb $0x80, (%rbx)
	movw $0x8001, (%rbx)
	movl $0x80000002, (%rbx)
	movq $-0x7ffffffd, (%rbx)
	movq $0x12345678, 0x10(%r13,%r12,1)
	// Relative to rip: the immediate lies between the displacement and the next instruction.
	movl $0xabcd1234, 0x1fff0000(%rip)
	movb $0x77, 0x1fff0000(%rip)
	movq %r9, 0x1fff0000(%rip)
	// moffs.
	movabsb %al, base + 0x40
	movabsw %ax, base + 0x42
	movabsl %eax, base + 0x44
	movabsq %rax, base + 0x48
	// fs and gs.
	movq %rax, %rbp
	WRITE_MSR(0xc0000100, 0x20001000)
	WRITE_MSR(0xc0000101, 0x20002000)
	movl $0x18, %ecx
	movq %rbp, %fs:(%rcx)
	movb $0x99, %gs:0x28
	// Address-size prefix.
	movabsq $0x7700000000000000 + base, %rcx
	movq %rbp, 0x58(%ecx)
	// Stores don't change registers or flags.
	pushq $0x8d7
	popfq
	movq %rbp, (%rbx)
	pushfq
	popq %rcx
	EXPECT64(q, 0x8d7, %rcx)
	EXPECTQ(0x0123456789abcdef, %rbp)
	EXPECTQ(0xfedcba9876543210, %r9)
	EXPECTQ(base, %rbx)
	jmp pass64
