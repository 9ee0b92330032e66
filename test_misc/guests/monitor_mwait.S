// SPDX-License-Identifier: MIT OR GPL-2.0-only
// MONITOR and MWAIT go on at once, whether CPUID shows them or not, as stock KVM does it.
#include "long64.h"
START64
	movl $0x14000, %eax
	xorl %ecx, %ecx
	xorl %edx, %edx
	monitor
	xorl %eax, %eax
	mwait
	movl $3, %ebx
1:	movl $0x14000, %eax
	monitor
	xorl %eax, %eax
	mwait
	decl %ebx
	jnz 1b
	jmp pass64
