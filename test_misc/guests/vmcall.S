// SPDX-License-Identifier: MIT OR GPL-2.0-only
// VMCALL without a paravirtual feature: -KVM_ENOSYS (1000) in rax, in ring 3 -KVM_EPERM; other registers stay. VMX is #UD.
#include "long64.h"
	.set ENOSYS, 1000
	.set EPERM, 1
START64
	movl $0x1234, %eax
	movl $1, %ebx
	movl $2, %ecx
	movl $3, %edx
	movl $4, %esi
	vmcall
	EXPECT64(q, -ENOSYS, %rax)
	EXPECT64(q, 1, %rbx)
	EXPECT64(q, 2, %rcx)
	EXPECT64(q, 3, %rdx)
	EXPECT64(q, 4, %rsi)
	movq $-1, %rax
	vmcall
	EXPECT64(q, -ENOSYS, %rax)
	// Other instructions of VMX: this guest has none.
	EXPECT_TRAP64(6, 0, vmxoff)
	EXPECT_TRAP64(6, 0, vmlaunch)
	EXPECT_TRAP64(6, 0, vmptrst 0x14000)
	EXPECT_TRAP64(6, 0, vmread %rax, %rbx)
	// Ring 3.
	movq $0xa007, 0x9000
	movq $0xb007, 0xa000
	movq $0x87, 0xb000
	movq %cr3, %rax
	movq %rax, %cr3
	pushq $USER_DATA64
	pushq $0x8400
	pushq $2
	pushq $USER_CODE64
	pushq $1f
	iretq
1:	movl $0x1234, %eax
	vmcall
	EXPECT64(q, -EPERM, %rax)
	EXPECT_TRAP64(13, 0, cli)
	jmp pass64
