// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Real -> protected -> long -> compatibility -> long -> protected -> real, twice, with an exit in each mode.
#include "real16.h"
#include "protected32.h"
#include "long64.h"
	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movl $0x9000, %esp
	call round
	call round
	movw $'\n', %ax
	movw $PORT_OUTPUT, %dx
	outb %al, %dx
	jmp pass16

// Prints LETTER. Clobbers %al and %dx.
#define PRINT(LETTER) movb $(LETTER), %al; movw $PORT_OUTPUT, %dx; outb %al, %dx

round:	PRINT('r')
	lgdtl gdt64_register
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $CODE32_COMPAT, $protected

	.code32
protected:
	movl $DATA64, %eax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	PRINT('p')
	// Page tables at 0x14000: one PML4 and one PDPT entry, 2 MiB pages.
	movl $0x15003, 0x14000
	movl $0x16003, 0x15000
	movl $0x83, 0x16000
	movl $0x200083, 0x16008
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl $0x14000, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	// LME alone is not long mode.
	rdmsr
	testl $0x400, %eax
	REQUIRE32(z)
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	// Compatibility mode: LMA is on, code still has 32 bits.
	movl $0xc0000080, %ecx
	rdmsr
	testl $0x400, %eax
	REQUIRE32(nz)
	PRINT('c')
	ljmpl $CODE64, $long_mode

	.code64
long_mode:
	PRINT('l')
	movabsq $0x123456789abcdef0, %r8
	movq %r8, %rax
	shrq $32, %rax
	EXPECT64(l, 0x12345678, %eax)
	movq %cr3, %rax
	EXPECT64(q, 0x14000, %rax)
	ljmpl *to_compatibility

	.code32
compatibility:
	PRINT('c')
	// %r8 kept its value while 32-bit code ran: seen when 64-bit code runs again.
	ljmpl $CODE64, $again
	.code64
again:	movabsq $0x123456789abcdef0, %rax
	cmpq %rax, %r8
	REQUIRE64(e)
	ljmpl *to_leave

	.code32
leave:	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	// LMA went with paging.
	movl $0xc0000080, %ecx
	rdmsr
	testl $0x400, %eax
	REQUIRE32(z)
	andl $~0x100, %eax
	wrmsr
	movl %cr4, %eax
	andl $~0x20, %eax
	movl %eax, %cr4
	PRINT('p')
	ljmpl $CODE16_COMPAT, $to_real

	.code16
to_real:
	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmpw $0, $real
real:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	PRINT('r')
	retw

to_compatibility: .long compatibility; .word CODE32_COMPAT
to_leave:         .long leave; .word CODE32_COMPAT
