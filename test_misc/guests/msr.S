// SPDX-License-Identifier: MIT OR GPL-2.0-only
// RDMSR and WRMSR: what is written is read back and keeps across exits; wrong values and unknown MSRs are #GP.
#include "long64.h"
START64
	// Each MSR of the table gets a value, all are read after an exit.
	movl $table, %esi
1:	movl (%rsi), %ecx
	jrcxz 2f
	movl 4(%rsi), %eax
	movl 8(%rsi), %edx
	wrmsr
	addq $12, %rsi
	jmp 1b
2:	outb %al, $0x42
	movl $table, %esi
3:	movl (%rsi), %ecx
	jrcxz 4f
	rdmsr
	cmpl 4(%rsi), %eax
	REQUIRE64(e)
	cmpl 8(%rsi), %edx
	REQUIRE64(e)
	addq $12, %rsi
	jmp 3b
	// The bases of fs and gs are what addresses use.
4:	WRITE_MSR(0xc0000100, 0x14000)
	WRITE_MSR(0xc0000101, 0x15000)
	movl $0x1234, 0x14010
	movl $0x5678, 0x15010
	EXPECT64(l, 0x1234, %fs:0x10)
	EXPECT64(l, 0x5678, %gs:0x10)
	// A selector load changes the base, and the MSR shows it.
	movl $DATA64, %eax
	movw %ax, %fs
	READ_MSR(0xc0000100)
	EXPECT64(q, 0, %rax)
	// Addresses that are not canonical.
	movl $addresses, %esi
5:	movl (%rsi), %ecx
	jrcxz 6f
	xorl %eax, %eax
	movl $0x00800000, %edx
	EXPECT_TRAP64(13, 0, wrmsr)
	addq $4, %rsi
	jmp 5b
	// PAT: only the types that exist.
6:	movl $0x277, %ecx
	movl $0x00070602, %eax
	xorl %edx, %edx
	EXPECT_TRAP64(13, 0, wrmsr)
	movl $0x08070601, %eax
	EXPECT_TRAP64(13, 0, wrmsr)
	// APIC_BASE: where it always is, enabled, of the boot processor.
	READ_MSR(0x1b)
	EXPECTQ(0xfee00900, %rax)
	// The TSC can be set: it goes on from there.
	WRITE_MSR(0x10, 0x1000000000000)
	READ_MSR(0x10)
	movabsq $0x1000000000000, %rbx
	subq %rbx, %rax
	movabsq $0x1000000000, %rbx
	cmpq %rbx, %rax
	REQUIRE64(b)
	rdtsc
	EXPECT64(l, 0x10000, %edx)
	xorl %eax, %eax
	// Unknown ones, at the edges of what a bitmap can hold and beyond.
	movl $unknown, %esi
7:	movl (%rsi), %ecx
	cmpl $0, %ecx
	je 8f
	EXPECT_TRAP64(13, 0, rdmsr)
	xorl %eax, %eax
	xorl %edx, %edx
	EXPECT_TRAP64(13, 0, wrmsr)
	addq $4, %rsi
	jmp 7b
8:	jmp pass64

	.balign 4
table:
	.long 0xc0000081, 0x12345678, 0x00180008 // STAR
	.long 0xc0000082, 0x00001000, 0xffff8000 // LSTAR
	.long 0xc0000083, 0x00002000, 0xffff8001 // CSTAR
	.long 0xc0000084, 0x00047700, 0          // FMASK
	.long 0xc0000102, 0x89abcdef, 0xffffff00 // KERNEL_GS_BASE
	.long 0xc0000100, 0x76543210, 0x00001234 // FS_BASE
	.long 0xc0000101, 0x89abcdef, 0xffffffff // GS_BASE
	.long 0x174, 0x00000010, 0               // SYSENTER_CS
	.long 0x175, 0x00007000, 0xffff8000      // SYSENTER_ESP
	.long 0x176, 0x00006000, 0xffff8000      // SYSENTER_EIP
	.long 0x277, 0x05040100, 0x07070606      // PAT
	.long 0xc0000080, 0x00000d01, 0          // EFER: SCE, LME, LMA, NXE
	.long 0
addresses:
	.long 0xc0000082, 0xc0000083, 0xc0000102, 0xc0000100, 0xc0000101, 0x175, 0x176, 0
unknown:
	.long 0x12345, 0x1fff, 0x2000, 0x4abc, 0xc0001fff, 0xc0002000, 0xbfffffff, 0xffffffff, 0
