// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A read-only slot: loads and code work as from memory, stores leave as MMIO and change nothing.
#include "protected32.h"
START32
	EXPECT32(l, 0xc3c3c3c3, 0x200000)
	EXPECT32(l, 0xc3c3c3c3, 0x203ffc)
	movb $0x11, 0x200000
	movw $0x2222, 0x200010
	movl $0x33333333, %eax
	movl %eax, 0x200020
	movb %ah, 0x203fff
	EXPECT32(l, 0xc3c3c3c3, 0x200000)
	EXPECT32(l, 0xc3c3c3c3, 0x200010)
	EXPECT32(l, 0xc3c3c3c3, 0x200020)
	EXPECT32(l, 0xc3c3c3c3, 0x203ffc)
	// The fill is RET: it can be called.
	movl $0x201000, %eax
	call *%eax
	// A store over the border of writable and read-only memory: the first part is kept, the second leaves.
	movl $0, 0x1ffffc
	movl $0x87654321, 0x1ffffe
	EXPECT32(l, 0x43210000, 0x1ffffc)
	EXPECT32(w, 0xc3c3, 0x200000)
	jmp pass32
