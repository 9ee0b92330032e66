// SPDX-License-Identifier: MIT OR GPL-2.0-only
// IN and OUT in long mode: INL clears the high half of %rax, INB and INW keep all they don't write.
#include "long64.h"
START64
	movabsq $0x1122334455667788, %rax
	inb $0x42, %al
	EXPECTQ(0x1122334455667700 | IN_BYTE(0), %rax)
	movw $0x1042, %dx
	inw %dx, %ax
	EXPECTQ(0x1122334455660000 | IN_WORD(1), %rax)
	movabsq $-1, %rax
	inl %dx, %eax
	EXPECTQ(IN_LONG(3), %rax)
	// Only the low 16 bits of %rdx name the port.
	movabsq $0x1234567800000070, %rdx
	outb %al, %dx
	EXPECTQ(0x1234567800000070, %rdx)
	// Flags are kept.
	pushq $0x8d7
	popfq
	inb $0x42, %al
	outb %al, $0x43
	pushfq
	popq %rbx
	EXPECT64(q, 0x8d7, %rbx)
	jmp pass64
