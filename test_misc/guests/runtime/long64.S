// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Runtime of long-mode guests: GDT, TSS, IDT of 64 vectors, expected traps, log of interrupts, ends.
	.code64
	.globl setup64, set_gate64, pass64, fail64, print64, setup_tables64
	.globl trap_resume64, trap_stack64, trap_vector64, trap_error64, trap_rip64, trap_cr264
	.globl irq_log64, irq_count64, gdt64, gdt64_register, gdt64_spare, tss64, idt64_register
	.set IDT, 0x10000
	.text

setup64:
	lgdt gdt64_register
	pushq $0x08
	pushq $1f
	lretq
1:	movl $0x10, %eax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	xorl %edi, %edi
	movl $stubs, %eax
2:	call set_gate64
	addl $16, %eax
	incl %edi
	cmpl $64, %edi
	jb 2b
	lidt idt64_register
	movb $0x89, tss_type
	movw $0x30, %ax
	ltr %ax
	ret

// Interrupt gate %edi (privilege 3 may call it) leads to %eax. Clobbers %rsi.
set_gate64:
	movl %edi, %esi
	shll $4, %esi
	movw %ax, IDT(%rsi)
	movw $0x0008, IDT+2(%rsi)
	movw $0xee00, IDT+4(%rsi)
	pushq %rax
	shrl $16, %eax
	movw %ax, IDT+6(%rsi)
	movl $0, IDT+8(%rsi)
	movl $0, IDT+12(%rsi)
	popq %rax
	ret

	.balign 16
stubs:
	.set vector, 0
	.rept 64
	.balign 16
	.if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21))
	pushq $0
	.endif
	pushq $vector
	jmp trap
	.set vector, vector + 1
	.endr

// Stack: vector, error code, RIP, CS, RFLAGS, RSP, SS.
trap:
	cmpq $32, (%rsp)
	jae interrupt
	cmpq $0, trap_resume64
	je unexpected
	popq trap_vector64
	popq trap_error64
	popq trap_rip64
	pushq %rax
	movq %cr2, %rax
	movq %rax, trap_cr264
	// Go on in ring 0 where the check says, with the stack it had there.
	movl $0x10, %eax
	movw %ax, %ss
	popq %rax
	movq trap_stack64, %rsp
	pushq trap_resume64
	movq $0, trap_resume64
	ret

interrupt:
	pushq %rax
	pushq %rbx
	movq 16(%rsp), %rax
	movl irq_count64, %ebx
	movb %al, irq_log64(%rbx)
	incl irq_count64
	popq %rbx
	popq %rax
	addq $16, %rsp
	iretq

// Nobody expected it: the status is 0x10000 + vector.
unexpected:
	popq %rax
	addl $0x10000, %eax
	jmp fail64

// Prints the zero-terminated string at %rsi. Clobbers %al, %rdx, %rsi.
print64:
	movl $0x3f8, %edx
	cld
1:	lodsb
	testb %al, %al
	jz 2f
	outb %al, %dx
	jmp 1b
2:	ret

pass64:
	movl $ok_text, %esi
	call print64
1:	hlt
	jmp 1b

fail64:
	movl $0x9000, %esp
	movl %eax, %ebp
	movl $fail_text, %esi
	call print64
	movl %ebp, %eax
	movl $10, %ecx
	movl $digits_end, %esi
1:	xorl %edx, %edx
	divl %ecx
	addb $'0', %dl
	decl %esi
	movb %dl, (%rsi)
	testl %eax, %eax
	jnz 1b
	call print64
	movl %ebp, %eax
	outl %eax, $0xf4
1:	hlt
	jmp 1b

ok_text:   .asciz "ok\n"
fail_text: .asciz "FAIL at line "
	.space 10
digits_end: .asciz "\n"

	.balign 16
gdt64:
	.quad 0
	.quad 0x00af9b000000ffff // 08 code
	.quad 0x00cf93000000ffff // 10 data
	.quad 0x00cffb000000ffff // 18 32-bit code, ring 3
	.quad 0x00cff3000000ffff // 20 data, ring 3
	.quad 0x00affb000000ffff // 28 code, ring 3
	.word 0x67, tss64        // 30 TSS, two entries
	.byte 0
tss_type: .byte 0x89, 0, 0
	.quad 0
	.quad 0x00cf9b000000ffff // 40 32-bit code
	.quad 0x00009b000000ffff // 48 16-bit code
gdt64_spare:
	.quad 0, 0               // 50, 58
gdt64_end:
gdt64_register:
	.word gdt64_end - gdt64 - 1
	.quad gdt64
idt64_register:
	.word 64 * 16 - 1
	.quad IDT

	.balign 16
tss64:
	.long 0
	.quad 0x8800             // RSP0
	.space 0x24 - 12
	.quad 0x8400             // IST1
	.space 0x66 - 0x2c
	.word 0x68               // no I/O bitmap

	.balign 8
trap_resume64: .quad 0
trap_stack64:  .quad 0
trap_vector64: .quad 0
trap_error64:  .quad 0
trap_rip64:    .quad 0
trap_cr264:    .quad 0
irq_count64:   .long 0
irq_log64:     .space 64
