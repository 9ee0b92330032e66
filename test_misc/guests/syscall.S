// SPDX-License-Identifier: MIT OR GPL-2.0-only
// SYSCALL and SYSRET between rings 3 and 0, SWAPGS, FMASK, both with exits in between; SYSRET to 32-bit code.
#include "long64.h"
START64
	movq $0xa007, 0x9000
	movq $0xb007, 0xa000
	movq $0x87, 0xb000
	movq %cr3, %rax
	movq %rax, %cr3
	// Without EFER.SCE it is #UD.
	EXPECT_TRAP64(6, 0, syscall)
	movl $0xc0000080, %ecx
	rdmsr
	orl $1, %eax
	wrmsr
	WRITE_MSR(0xc0000081, 0x001b000800000000)
	WRITE_MSR(0xc0000082, 0)
	movl $entry, %eax
	xorl %edx, %edx
	movl $0xc0000082, %ecx
	wrmsr
	WRITE_MSR(0xc0000084, 0x400)        // DF is cleared
	WRITE_MSR(0xc0000101, 0x14000)      // the user's gs
	WRITE_MSR(0xc0000102, 0x15000)      // the kernel's gs
	movl $0xaaaa, 0x14000
	movl $0xbbbb, 0x15000
	movl $user, %ecx
	movl $0x602, %r11d                  // IF and DF
	movl $0x8400, %esp
	sysretq

user:	movw %cs, %ax
	EXPECT64(w, USER_CODE64, %ax)
	movw %ss, %ax
	EXPECT64(w, USER_DATA64, %ax)
	EXPECT64(l, 0xaaaa, %gs:0)
	movl $3, %ebx
1:	movl $0x1111, %edi
	syscall
return_to:
	pushfq
	popq %rax
	testl $0x400, %eax
	REQUIRE64(nz)
	EXPECT64(l, 0x2222, %edi)
	EXPECT64(l, 0xaaaa, %gs:0)
	decl %ebx
	jnz 1b
	// The last call does not come back here.
	movl $0x3333, %edi
	syscall
	movl $__LINE__, %eax
	jmp fail64

// In ring 0 on the user's stack; %rcx and %r11 hold where to return.
entry:	swapgs
	outb %al, $0x42
	EXPECT64(l, 0xbbbb, %gs:0)
	movw %cs, %ax
	EXPECT64(w, CODE64, %ax)
	movw %ss, %ax
	EXPECT64(w, DATA64, %ax)
	pushfq
	popq %rax
	testl $0x400, %eax
	REQUIRE64(z)
	cmpl $0x3333, %edi
	je last
	EXPECT64(q, return_to, %rcx)
	cmpl $0x1111, %edi
	REQUIRE64(e)
	movl $0x2222, %edi
	swapgs
	outb %al, $0x43
	sysretq

	// The MSRs show what SWAPGS did.
last:	movl $0x9000, %esp
	READ_MSR(0xc0000101)
	EXPECT64(q, 0x15000, %rax)
	READ_MSR(0xc0000102)
	EXPECT64(q, 0x14000, %rax)
	// SYSRET to compatibility mode; INT 0x2f comes back.
	GATE64(0x2f, from32)
	movl $user32, %ecx
	movl $0x2, %r11d
	sysretl

	.code32
user32:	movw %cs, %ax
	cmpw $USER_CODE32_COMPAT, %ax
	jne 1f
	.byte 0x40                          // INC EAX in 32-bit code, a REX prefix in 64-bit code
	movl $0x7777, %eax
	int $0x2f
1:	ud2

	.code64
from32:	EXPECT64(l, 0x7777, %eax)
	jmp pass64
