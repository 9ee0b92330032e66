// SPDX-License-Identifier: MIT OR GPL-2.0-only
// MOV to and from CR0, CR3, CR4, CR8, with every register; SMSW, LMSW, CLTS; reserved and forbidden values are #GP.
#include "long64.h"
START64
	// CR0: bits that the guest may choose are read as written; ET stays.
	movq %cr0, %rbx
	movq %rbx, %rcx
	orl $0x4002a, %ecx          // AM, NE, TS, MP
	movq %rcx, %cr0
	movq %cr0, %rdx
	cmpq %rcx, %rdx
	REQUIRE64(e)
	smswl %eax
	andl $0xf, %eax
	EXPECT64(l, 0xb, %eax)
	clts
	movq %cr0, %rdx
	testb $8, %dl
	REQUIRE64(z)
	// LMSW can set TS, EM, MP, and not clear PE.
	movl $0x8, %eax
	lmsww %ax
	smsww %ax
	testb $8, %al
	REQUIRE64(nz)
	testb $1, %al
	REQUIRE64(nz)
	movq %rbx, %cr0
	movq %cr0, %rdx
	cmpq %rdx, %rbx
	REQUIRE64(e)
	// CD and NW.
	movq %rbx, %rax
	orl $0x40000000, %eax
	movq %rax, %cr0
	movq %cr0, %rdx
	cmpq %rdx, %rax
	REQUIRE64(e)
	movq %rbx, %cr0
	// Forbidden: NW without CD, PG without PE, high bits, paging off in 64-bit mode.
	movq %rbx, %rax
	orl $0x20000000, %eax
	EXPECT_TRAP64(13, 0, movq %rax, %cr0)
	movq %rbx, %rax
	andb $0xfe, %al
	EXPECT_TRAP64(13, 0, movq %rax, %cr0)
	movabsq $0x100000000, %rax
	orq %rbx, %rax
	EXPECT_TRAP64(13, 0, movq %rax, %cr0)
	movq %rbx, %rax
	btrq $31, %rax
	EXPECT_TRAP64(13, 0, movq %rax, %cr0)
	movq %cr0, %rdx
	cmpq %rdx, %rbx
	REQUIRE64(e)
	// CR3: any register, PWT and PCD kept; bits beyond the physical width are #GP.
	movq %cr3, %r8
	movq %r8, %r9
	orb $0x18, %r9b
	movq %r9, %cr3
	movq %cr3, %r10
	cmpq %r9, %r10
	REQUIRE64(e)
	movq %rsp, %r11
	movq %r8, %rsp
	movq %rsp, %cr3
	movq %r11, %rsp
	movq %cr3, %r10
	cmpq %r8, %r10
	REQUIRE64(e)
	movabsq $0x0080000000000000, %rax
	orq %r8, %rax
	EXPECT_TRAP64(13, 0, movq %rax, %cr3)
	// CR4.
	movq %cr4, %r12
	movq %r12, %rax
	orl $0x6dc, %eax            // TSD, DE, PSE, MCE, PGE, OSFXSR, OSXMMEXCPT
	movq %rax, %cr4
	movq %cr4, %rdx
	cmpq %rdx, %rax
	REQUIRE64(e)
	movq %r12, %cr4
	movq %cr4, %rdx
	cmpq %rdx, %r12
	REQUIRE64(e)
	movq %r12, %rax
	btsq $31, %rax
	EXPECT_TRAP64(13, 0, movq %rax, %cr4)
	movq %r12, %rax
	btsq $40, %rax
	EXPECT_TRAP64(13, 0, movq %rax, %cr4)
	movq %r12, %rax
	andb $0xdf, %al             // PAE off in long mode
	EXPECT_TRAP64(13, 0, movq %rax, %cr4)
	EXPECT_TRAP64(6, 0, .byte 0x0f, 0x20, 0xe8) // MOV from CR5
	EXPECT_TRAP64(6, 0, .byte 0x0f, 0x22, 0xc8) // MOV to CR1
	// CR8: four bits, read back; raising it stays in the kernel, lowering it leaves.
	movl $5, %eax
	movq %rax, %cr8
	movq %cr8, %rcx
	EXPECTQ(5, %rcx)
	movl $0xf, %r9d
	movq %r9, %cr8
	movq %cr8, %rcx
	EXPECTQ(0xf, %rcx)
	movl $3, %ecx
	movq %rcx, %cr8
	movq %cr8, %r14
	EXPECTQ(3, %r14)
	movl $0x10, %eax
	EXPECT_TRAP64(13, 0, movq %rax, %cr8)
	xorl %eax, %eax
	movq %rax, %cr8
	movq %cr8, %rcx
	EXPECTQ(0, %rcx)
	// EFER.NXE and SCE by MSR; LME and LMA can't change under paging.
	movl $0xc0000080, %ecx
	rdmsr
	EXPECT64(l, 0x500, %eax)
	orl $0x801, %eax
	wrmsr
	rdmsr
	EXPECT64(l, 0xd01, %eax)
	andl $~0x100, %eax
	EXPECT_TRAP64(13, 0, wrmsr)
	rdmsr
	EXPECT64(l, 0xd01, %eax)
	movl $0x502, %eax
	EXPECT_TRAP64(13, 0, wrmsr)
	jmp pass64
