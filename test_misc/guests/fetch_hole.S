// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A jump to where there is no memory: no instruction can be read, the VMM is told of an internal error.
#include "protected32.h"
START32
	movl $text, %esi
	call print32
	movl $0x10000000, %eax
	jmp *%eax

text: .asciz "gone\n"
