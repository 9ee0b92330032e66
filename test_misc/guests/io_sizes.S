// SPDX-License-Identifier: MIT OR GPL-2.0-only
// IN and OUT of 1, 2 and 4 bytes, port in an immediate or in %dx, in real mode. IN leaves the rest of %eax as it was.
#include "real16.h"
START16
	// Bytes.
	movl $0x11223344, %eax
	inb $0x42, %al
	EXPECT16(l, 0x11223300 | IN_BYTE(0), %eax)
	movl $0x55667788, %eax
	movw $0x1042, %dx
	inb %dx, %al
	EXPECT16(l, 0x55667700 | IN_BYTE(1), %eax)
	// Words.
	movl $0x11223344, %eax
	inw $0x44, %ax
	EXPECT16(l, 0x11220000 | IN_WORD(2), %eax)
	movl $0x99aabbcc, %eax
	movw $0xfffe, %dx
	inw %dx, %ax
	EXPECT16(l, 0x99aa0000 | IN_WORD(4), %eax)
	// Longs.
	inl $0x48, %eax
	EXPECT16(l, IN_LONG(6), %eax)
	movw $0x8001, %dx
	inl %dx, %eax
	EXPECT16(l, IN_LONG(10), %eax)
	// The status of the serial port.
	movl $0, %eax
	movw $0x3fd, %dx
	inb %dx, %al
	EXPECT16(l, 0x20, %eax)
	// OUT must not change anything.
	movl $0xcafebabe, %eax
	outb %al, $0x50
	outw %ax, $0x51
	outl %eax, $0x52
	movw $0x1234, %dx
	outb %al, %dx
	outw %ax, %dx
	outl %eax, %dx
	EXPECT16(l, 0xcafebabe, %eax)
	EXPECT16(w, 0x1234, %dx)
	// Output of every size is text.
	movl $('s' | 'i' << 8 | 'z' << 16 | 'e' << 24), %eax
	movw $PORT_OUTPUT, %dx
	outl %eax, %dx
	movw $('s' | ' ' << 8), %ax
	outw %ax, %dx
	jmp pass16
