// SPDX-License-Identifier: MIT OR GPL-2.0-only
// SYSENTER and SYSEXIT in protected mode, three times with exits in between; #GP while SYSENTER_CS is null.
#include "protected32.h"
START32
	movl $0x174, %ecx
	xorl %eax, %eax
	xorl %edx, %edx
	wrmsr
	EXPECT_TRAP32(13, 0, sysenter)
	EXPECT_TRAP32(13, 0, sysexit)
	movl $CODE32, %eax
	movl $0x174, %ecx
	wrmsr
	movl $0x8c00, %eax
	movl $0x175, %ecx
	wrmsr
	movl $entry, %eax
	movl $0x176, %ecx
	wrmsr
	movl $3, %ebx
	movl $user, %edx
	movl $0x8400, %ecx
	sysexit

user:	movw %cs, %ax
	EXPECT32(w, USER_CODE32, %ax)
	movw %ss, %ax
	EXPECT32(w, USER_DATA32, %ax)
	EXPECT32(l, 0x8400, %esp)
	movl $USER_DATA32, %eax
	movw %ax, %ds
	movl $back, %edx
	movl %esp, %ecx
	sysenter
back:	decl %ebx
	jnz user
	movl $0, %edx
	sysenter

entry:	movw %cs, %ax
	EXPECT32(w, CODE32, %ax)
	movw %ss, %ax
	EXPECT32(w, DATA32, %ax)
	EXPECT32(l, 0x8c00, %esp)
	outb %al, $0x42
	movl $DATA32, %eax
	movw %ax, %ds
	testl %edx, %edx
	jz 1f
	sysexit
1:	EXPECT32(l, 0, %ebx)
	jmp pass32
