// SPDX-License-Identifier: MIT OR GPL-2.0-only
// #DF: an exception whose delivery faults, by a gate that is not present and by a stack that is not mapped; caught on an IST stack.
#include "long64.h"
START64
	GATE64(8, caught)
	movb $1, 0x10000 + 8 * 16 + 4       // IST 1
	// #GP whose gate isn't present: #NP within, a double fault.
	movb $0, 0x10000 + 13 * 16 + 5
	movl $0x12345, %ecx
	rdmsr
	movl $__LINE__, %eax
	jmp fail64
caught:	EXPECT64(q, 0, (%rsp))
	EXPECT64(q, 0x8400 - 48, %rsp)
	movb $0xee, 0x10000 + 13 * 16 + 5
	EXPECT_TRAP64(13, 0, rdmsr)
	// #PF whose delivery faults by a stack that isn't mapped: a double fault too.
	GATE64(8, caught_stack)
	movb $1, 0x10000 + 8 * 16 + 4
	movl $0x50000000, %esp              // the identity map ends at 1 GiB
	movl 0x60000000, %eax
	movl $__LINE__, %eax
	jmp fail64
caught_stack:
	EXPECT64(q, 0, (%rsp))
	EXPECT64(q, 0x50000000, 32(%rsp))
	movq %cr2, %rax
	EXPECTQ(0x4ffffff8, %rax)
	movl $0x9000, %esp
	jmp pass64
