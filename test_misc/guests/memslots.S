// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Slots in no order, adjacent ones, holes between them: each access reaches its own memory, holes are MMIO.
#include "protected32.h"
START32
	// Each slot was filled with its own byte.
	EXPECT32(b, 0x35, 0x300000)
	EXPECT32(b, 0x35, 0x300fff)
	EXPECT32(b, 0x32, 0x301000)
	EXPECT32(b, 0x37, 0x302000)
	EXPECT32(b, 0x31, 0x200000)
	EXPECT32(b, 0x39, 0xbffff000)
	// Across the border of two adjacent slots.
	EXPECT32(l, 0x32323535, 0x300ffe)
	movl $0x12345678, 0x300ffe
	EXPECT32(w, 0x5678, 0x300ffe)
	EXPECT32(w, 0x1234, 0x301000)
	EXPECT32(l, 0x37323232, 0x301ffd)
	// REP over three slots.
	movl $0x300000, %edi
	movl $0x3000 / 4, %ecx
	movl $0x5a5a5a5a, %eax
	cld
	rep stosl
	EXPECT32(l, 0x303000, %edi)
	EXPECT32(l, 0x5a5a5a5a, 0x300800)
	EXPECT32(l, 0x5a5a5a5a, 0x301800)
	EXPECT32(l, 0x5a5a5a5a, 0x302ffc)
	EXPECT32(b, 0x31, 0x200fff)
	// Holes: before, between and behind.
	movl 0x1ffffc, %eax
	EXPECT32(l, MMIO_LONG(0x1ffffc), %eax)
	movl 0x201000, %eax
	EXPECT32(l, MMIO_LONG(0x201000), %eax)
	movl 0x303000, %eax
	EXPECT32(l, MMIO_LONG(0x303000), %eax)
	movl %eax, 0xc0000000
	movl 0xfffffff0, %eax
	EXPECT32(l, MMIO_LONG(0xfffffff0), %eax)
	// Code in a slot of its own.
	movl $code, %esi
	movl $0xbffff800, %edi
	movl $code_end - code, %ecx
	rep movsb
	movl $0xbffff800, %eax
	call *%eax
	EXPECT32(l, 0x600d, %eax)
	jmp pass32

code:	movl $0x600d, %eax
	ret
code_end:
