// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Runtime of protected-mode guests: GDT, TSS, IDT of 64 vectors, expected traps, log of interrupts, ends.
	.code32
	.globl setup32, set_gate32, pass32, fail32, print32, setup_idt32
	.globl trap_resume32, trap_stack32, trap_vector32, trap_error32, trap_eip32, trap_cr232
	.globl irq_log32, irq_count32, gdt32, gdt32_register, gdt32_spare, tss32, tss32_esp0, idt32_register
	.set IDT, 0x10000
	.text

setup32:
	lgdtl gdt32_register
	ljmpl $0x08, $1f
1:	movw $0x10, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
setup_idt32:
	xorl %edi, %edi
	movl $stubs, %eax
2:	call set_gate32
	addl $16, %eax
	incl %edi
	cmpl $64, %edi
	jb 2b
	lidtl idt32_register
	movb $0x89, tss_type
	movw $0x38, %ax
	ltr %ax
	ret

// Interrupt gate %edi (privilege 3 may call it) leads to %eax. Clobbers nothing.
set_gate32:
	pushl %eax
	movw %ax, IDT(, %edi, 8)
	shrl $16, %eax
	movw %ax, IDT+6(, %edi, 8)
	movw $0x0008, IDT+2(, %edi, 8)
	movw $0xee00, IDT+4(, %edi, 8)
	popl %eax
	ret

	.balign 16
stubs:
	.set vector, 0
	.rept 64
	.balign 16
	.if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21))
	pushl $0
	.endif
	pushl $vector
	jmp trap
	.set vector, vector + 1
	.endr

// Stack: vector, error code, EIP, CS, EFLAGS (ESP, SS).
trap:
	cmpl $32, (%esp)
	jae interrupt
	cmpl $0, %cs:trap_resume32
	je unexpected
	pushl %eax
	pushl %ds
	movl $0x10, %eax
	movw %ax, %ds
	movl 8(%esp), %eax
	movl %eax, trap_vector32
	movl 12(%esp), %eax
	movl %eax, trap_error32
	movl 16(%esp), %eax
	movl %eax, trap_eip32
	movl %cr2, %eax
	movl %eax, trap_cr232
	testl $3, 20(%esp)
	jnz 1f
	// From ring 0: go on where the check says, with the stack it had.
	popl %ds
	popl %eax
	movl %cs:trap_stack32, %esp
	pushl %cs:trap_resume32
	movl $0, %ss:trap_resume32
	ret
	// From ring 3: go on in ring 0, which is what these checks want.
1:	movl $0x10, %eax
	movw %ax, %es
	movl trap_stack32, %esp
	pushl trap_resume32
	movl $0, trap_resume32
	ret

interrupt:
	pushl %eax
	pushl %ebx
	movl 8(%esp), %eax
	movl %ss:irq_count32, %ebx
	movb %al, %ss:irq_log32(%ebx)
	incl %ss:irq_count32
	popl %ebx
	popl %eax
	addl $8, %esp
	iretl

// Nobody expected it: print vector and error code as status 0x10000 + vector.
unexpected:
	popl %eax
	addl $0x10000, %eax
	jmp fail32

// Prints the zero-terminated string at %esi. Clobbers %al, %edx, %esi.
print32:
	movl $0x3f8, %edx
	cld
1:	lodsb
	testb %al, %al
	jz 2f
	outb %al, %dx
	jmp 1b
2:	ret

pass32:
	movl $ok_text, %esi
	call print32
1:	hlt
	jmp 1b

fail32:
	movl $0x9000, %esp
	movl %eax, %ebp
	movl $fail_text, %esi
	call print32
	movl %ebp, %eax
	movl $10, %ecx
	movl $digits_end, %esi
1:	xorl %edx, %edx
	divl %ecx
	addb $'0', %dl
	decl %esi
	movb %dl, (%esi)
	testl %eax, %eax
	jnz 1b
	call print32
	movl %ebp, %eax
	outl %eax, $0xf4
1:	hlt
	jmp 1b

ok_text:   .asciz "ok\n"
fail_text: .asciz "FAIL at line "
	.space 10
digits_end: .asciz "\n"

	.balign 16
gdt32:
	.quad 0
	.quad 0x00cf9b000000ffff // 08 code, flat
	.quad 0x00cf93000000ffff // 10 data, flat
	.quad 0x00cffb000000ffff // 18 code, ring 3
	.quad 0x00cff3000000ffff // 20 data, ring 3
	.quad 0x00009b000000ffff // 28 code of 16 bits
	.quad 0x000093000000ffff // 30 data of 16 bits
	.word 0x67, tss32        // 38 TSS
	.byte 0
tss_type: .byte 0x89, 0, 0
gdt32_spare:
	.quad 0, 0               // 40, 48
gdt32_end:
gdt32_register:
	.word gdt32_end - gdt32 - 1
	.long gdt32
idt32_register:
	.word 64 * 8 - 1
	.long IDT

	.balign 16
tss32:
	.long 0
tss32_esp0:
	.long 0x8800, 0x10
	.space 0x66 - 12
	.word 0x68               // no I/O bitmap

	.balign 4
trap_resume32: .long 0
trap_stack32:  .long 0
trap_vector32: .long 0
trap_error32:  .long 0
trap_eip32:    .long 0
trap_cr232:    .long 0
irq_count32:   .long 0
irq_log32:     .space 64
