// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Ends of a real-mode guest: pass16 prints "ok" and halts; fail16 prints the line in %eax and ends with it as status.
	.code16
	.globl pass16, fail16, print16
	.text

// Prints the zero-terminated string at %si. Clobbers %al, %dx, %si.
print16:
	movw $0x3f8, %dx
	cld
1:	lodsb
	testb %al, %al
	jz 2f
	outb %al, %dx
	jmp 1b
2:	retw

pass16:
	movw $ok_text, %si
	callw print16
1:	hlt
	jmp 1b

fail16:
	xorw %bx, %bx
	movw %bx, %ds
	movw %bx, %ss
	movl $0x9000, %esp
	movl %eax, %ebp
	movw $fail_text, %si
	callw print16
	movl %ebp, %eax
	movl $10, %ecx
	movw $digits_end, %si
1:	xorl %edx, %edx
	divl %ecx
	addb $'0', %dl
	decw %si
	movb %dl, (%si)
	testl %eax, %eax
	jnz 1b
	callw print16
	movl %ebp, %eax
	outl %eax, $0xf4
1:	hlt
	jmp 1b

ok_text:   .asciz "ok\n"
fail_text: .asciz "FAIL at line "
	.space 10
digits_end: .asciz "\n"
