// SPDX-License-Identifier: MIT OR GPL-2.0-only
// #DE, #BP, #UD, #NM, #GP, #NP, #SS, #AC, #XM and #MF raised and handled in long mode, from rings 0 and 3.
#include "long64.h"
START64
	xorl %ecx, %ecx
	movl $1, %eax
	cltd
	EXPECT_TRAP64(0, 0, divl %ecx)
	movl $0x80000000, %eax
	cltd
	movl $-1, %ecx
	EXPECT_TRAP64(0, 0, idivl %ecx)
	EXPECT_TRAP64(3, 0, int3)
	EXPECT_TRAP64(6, 0, ud2)
	EXPECT_TRAP64(6, 0, .byte 0xce) // INTO does not exist in 64-bit mode
	EXPECT_TRAP64(6, 0, .byte 0xf0; nop) // LOCK NOP
	// CR0.TS, CR0.EM.
	movq %cr0, %rbx
	movq %rbx, %rax
	orb $8, %al
	movq %rax, %cr0
	EXPECT_TRAP64(7, 0, fninit)
	clts
	fninit
	movq %rbx, %cr0
	// #GP: with error codes of a selector, of the IDT, and 0.
	movl $0x70, %eax
	EXPECT_TRAP64(13, 0x70, movw %ax, %ds)
	EXPECT_TRAP64(13, 0x402, int $0x80)
	movl $0x12345, %ecx
	EXPECT_TRAP64(13, 0, rdmsr)
	movw $0, gdt64_spare
	movl $0x00001300, gdt64_spare + 4
	movl $SPARE64, %eax
	EXPECT_TRAP64(11, SPARE64, movw %ax, %ds)
	EXPECT_TRAP64(11, SPARE64, movw %ax, %fs)
	// An address that is not canonical, by the stack's base register.
	movabsq $0x7000000000000000, %rbp
	EXPECT_TRAP64(12, 0, movq 8(%rbp), %rax)
	// #MF: an x87 error with CR0.NE, noticed by the next waiting instruction.
	movq %cr0, %rax
	orb $0x22, %al
	andb $0xfb, %al
	movq %rax, %cr0
	fninit
	fldcw unmasked
	fld1
	fldz
	fdivrp
	EXPECT_TRAP64(16, 0, fwait)
	fninit
	// #XM.
	movq %cr4, %rax
	orl $0x600, %eax
	movq %rax, %cr4
	ldmxcsr unmasked_sse
	xorps %xmm1, %xmm1
	movss one, %xmm0
	EXPECT_TRAP64(19, 0, divss %xmm1, %xmm0)
	ldmxcsr masked_sse
	divss %xmm1, %xmm0
	movd %xmm0, %eax
	EXPECT64(l, 0x7f800000, %eax)
	// Ring 3 sees privileged instructions as #GP.
	movq $0xa007, 0x9000
	movq $0xb007, 0xa000
	movq $0x87, 0xb000
	movq %cr3, %rax
	movq %rax, %cr3
	movl $1f, %ebx
	call to_ring3
1:	EXPECT_TRAP64(13, 0, hlt)
	movl $2f, %ebx
	call to_ring3
2:	EXPECT_TRAP64(13, 0, movq %cr0, %rax)
	movl $3f, %ebx
	call to_ring3
3:	EXPECT_TRAP64(13, 0, wbinvd)
	movl $4f, %ebx
	call to_ring3
4:	EXPECT_TRAP64(13, 0, rdmsr)
	movl $5f, %ebx
	call to_ring3
5:	EXPECT_TRAP64(13, 0, lgdt gdt64_register)
	movl $6f, %ebx
	call to_ring3
6:	EXPECT_TRAP64(0, 0, xorl %ecx, %ecx; divl %ecx)
	// #AC: CR0.AM and EFLAGS.AC in ring 3.
	movq %cr0, %rax
	orl $0x40000, %eax
	movq %rax, %cr0
	movl $7f, %ebx
	call to_ring3
7:	pushq $0x40002
	popfq
	EXPECT_TRAP64(17, 0, movl 0x8101, %eax)
	// The second 2 MiB are not for ring 3.
	movl $8f, %ebx
	call to_ring3
8:	EXPECT_TRAP64(14, 5, movl 0x200000, %eax)
	EXPECTQ(0x200000, trap_cr264)
	movl $9f, %ebx
	call to_ring3
9:	EXPECT_TRAP64(14, 7, movl %eax, 0x200004)
	jmp pass64

// Goes on at %ebx in ring 3. Clobbers %rax.
to_ring3:
	addq $8, %rsp
	pushq $USER_DATA64
	pushq $0x8400
	pushq $2
	pushq $USER_CODE64
	pushq %rbx
	iretq

	.balign 4
one:          .float 1.0
unmasked_sse: .long 0x1d80
masked_sse:   .long 0x1f80
unmasked:     .word 0x37b
