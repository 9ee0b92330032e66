// SPDX-License-Identifier: MIT OR GPL-2.0-only
// An IDT without entries: #BP cannot be delivered, nor #GP, nor #DF: the machine shuts down.
#include "long64.h"
START64
	movl $text, %esi
	call print64
	lidt empty
	int3
	movl $__LINE__, %eax
	jmp fail64

text:  .asciz "down\n"
empty: .word 0
	.quad 0
