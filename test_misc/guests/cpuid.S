// SPDX-License-Identifier: MIT OR GPL-2.0-only
// CPUID leaves 0, 1, 7, 0x80000000 and 0x80000001 to memory; high halves cleared; the same leaf gives the same again.
#include "long64.h"
	.set results, 0x14000
START64
	movl $results, %edi
	movl $0, %eax
	call store_leaf
	cmpl $7, results
	REQUIRE64(ae)
	movl $1, %eax
	call store_leaf
	movl $7, %eax
	call store_leaf
	movl $0x80000000, %eax
	call store_leaf
	cmpl $0x80000001, results + 0x30
	REQUIRE64(ae)
	movl $0x80000001, %eax
	call store_leaf
	testl $1 << 29, results + 0x4c // long mode
	REQUIRE64(nz)
	testl $1 << 26, results + 0x1c // SSE2
	REQUIRE64(nz)
	// The same leaf gives the same again.
	movl $0, %eax
	call store_leaf
	movq results, %rax
	cmpq %rax, results + 0x50
	REQUIRE64(e)
	movq results + 8, %rax
	cmpq %rax, results + 0x58
	REQUIRE64(e)
	jmp pass64

// CPUID of %eax, subleaf 0, to (%rdi), 16 bytes; %rdi moves on.
store_leaf:
	movabsq $0xffffffff00000000, %rbx
	orq %rbx, %rax
	movq %rbx, %rcx
	movq %rbx, %rdx
	cpuid
	movq %rax, %r8
	orq %rbx, %r8
	orq %rcx, %r8
	orq %rdx, %r8
	shrq $32, %r8
	REQUIRE64(z)
	stosl
	movl %ebx, %eax
	stosl
	movl %ecx, %eax
	stosl
	movl %edx, %eax
	stosl
	ret
