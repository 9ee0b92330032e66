// SPDX-License-Identifier: MIT OR GPL-2.0-only
// INS and OUTS with 16-bit addresses: single, REP, backward, zero count, segment override, address-size prefix.
#include "real16.h"
	.set buffer, 0x4000
START16
	movw $0x60, %dx
	cld
	// One element: %di moves on by its size, the memory around it stays.
	movl $0xeeeeeeee, buffer
	movw $buffer, %di
	insb
	EXPECT16(w, buffer + 1, %di)
	EXPECT16(l, 0xeeeeee00 | IN_BYTE(0), buffer)
	movw $buffer + 2, %di
	insw
	EXPECT16(w, buffer + 4, %di)
	EXPECT16(w, IN_WORD(1), buffer + 2)
	insl
	EXPECT16(w, buffer + 8, %di)
	EXPECT16(l, IN_LONG(3), buffer + 4)
	// REP forward.
	movw $buffer + 0x10, %di
	movw $5, %cx
	rep insb
	EXPECT16(w, 0, %cx)
	EXPECT16(w, buffer + 0x15, %di)
	EXPECT16(l, IN_LONG(7), buffer + 0x10)
	EXPECT16(b, IN_BYTE(11), buffer + 0x14)
	movw $buffer + 0x20, %di
	movw $3, %cx
	rep insl
	EXPECT16(w, buffer + 0x2c, %di)
	EXPECT16(l, IN_LONG(12), buffer + 0x20)
	EXPECT16(l, IN_LONG(20), buffer + 0x28)
	// A count of zero does nothing.
	movw $0, %cx
	movw $buffer + 0x40, %di
	rep insw
	EXPECT16(w, buffer + 0x40, %di)
	EXPECT16(w, 0, buffer + 0x40)
	// Backward.
	std
	movw $3, %cx
	movw $buffer + 0x54, %di
	rep insw
	EXPECT16(w, 0, %cx)
	EXPECT16(w, buffer + 0x4e, %di)
	EXPECT16(w, IN_WORD(24), buffer + 0x54)
	EXPECT16(w, IN_WORD(26), buffer + 0x52)
	EXPECT16(w, IN_WORD(28), buffer + 0x50)
	cld
	// INS stores through %es.
	movw $0x500, %ax
	movw %ax, %es
	movw $0x10, %di
	movw $2, %cx
	rep insw
	EXPECT16(l, IN_LONG(30), 0x5010)
	xorw %ax, %ax
	movw %ax, %es
	// OUTS: text, single and REP, of every size; the high half of %esi stays.
	movw $PORT_OUTPUT, %dx
	movl $0x12340000 + text, %esi
	outsb
	outsw
	outsl
	EXPECT16(l, 0x12340000 + text + 7, %esi)
	movl $0x56780003, %ecx
	rep outsb
	EXPECT16(l, 0x56780000, %ecx)
	movw $2, %cx
	rep outsl
	EXPECT16(l, 0x12340000 + text + 18, %esi)
	// Backward.
	std
	movw $backward_end - 1, %si
	movw $backward_end - backward, %cx
	rep outsb
	EXPECT16(w, backward - 1, %si)
	cld
	// OUTS loads through the segment of the prefix.
	movw $0x100, %ax
	movw %ax, %es
	movw $fromes - 0x1000, %si
	movw $3, %cx
	rep outsb %es:(%si), %dx
	xorw %ax, %ax
	movw %ax, %es
	// 32-bit addresses.
	movl $address32, %esi
	movl $3, %ecx
	addr32 rep outsb
	EXPECT16(l, 0, %ecx)
	EXPECT16(l, address32 + 3, %esi)
	movw $0x60, %dx
	movl $buffer + 0x80, %edi
	movl $2, %ecx
	addr32 rep insl
	EXPECT16(l, buffer + 0x88, %edi)
	EXPECT16(l, IN_LONG(34), buffer + 0x80)
	EXPECT16(l, IN_LONG(38), buffer + 0x84)
	jmp pass16

text:      .ascii "a string of output"
backward:  .ascii "drawkcab "
backward_end:
fromes:    .ascii "es "
address32: .ascii "32\n"
