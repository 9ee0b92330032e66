// SPDX-License-Identifier: MIT OR GPL-2.0-only
// RDTSC and RDTSCP never go back, across exits too; TSC_AUX; CR4.TSD closes RDTSC to ring 3. No raw value is left behind.
#include "long64.h"
START64
	xorl %ebx, %ebx
	movl $200, %esi
1:	rdtsc
	call later
	outb %al, $0x42
	rdtscp
	call later
	lfence
	decl %esi
	jnz 1b
	READ_MSR(0x10)
	cmpq %rbx, %rax
	REQUIRE64(ae)
	xorl %eax, %eax
	xorl %edx, %edx
	WRITE_MSR(0xc0000103, 0x12345678)
	outb %al, $0x42
	rdtscp
	xorl %eax, %eax
	xorl %edx, %edx
	EXPECT64(q, 0x12345678, %rcx)
	READ_MSR(0xc0000103)
	EXPECT64(q, 0x12345678, %rax)
	// Ring 3 with CR4.TSD.
	movq $0xa007, 0x9000
	movq $0xb007, 0xa000
	movq $0x87, 0xb000
	movq %cr3, %rax
	movq %rax, %cr3
	movq %cr4, %rax
	orb $4, %al
	movq %rax, %cr4
	rdtsc
	xorl %eax, %eax
	xorl %edx, %edx
	movl $2f, %ebx
	call to_ring3
2:	EXPECT_TRAP64(13, 0, rdtsc)
	movl $3f, %ebx
	call to_ring3
3:	EXPECT_TRAP64(13, 0, rdtscp)
	xorl %edi, %edi
	xorl %edx, %edx
	jmp pass64

// %edx:%eax must be at least %rbx, and becomes it.
later:	shlq $32, %rdx
	orq %rdx, %rax
	cmpq %rbx, %rax
	REQUIRE64(ae)
	movq %rax, %rbx
	xorl %eax, %eax
	xorl %edx, %edx
	ret

// Goes on at %ebx in ring 3. Clobbers %rax.
to_ring3:
	addq $8, %rsp
	pushq $USER_DATA64
	pushq $0x8400
	pushq $2
	pushq $USER_CODE64
	pushq %rbx
	iretq
