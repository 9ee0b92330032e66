// SPDX-License-Identifier: MIT OR GPL-2.0-only
// MMIO loads and stores from protected mode: all registers, sizes, addressing forms, prefixes, segment bases.
#include "protected32.h"
	.set base, 0x10000000
START32
	// Every addressing form.
	movl $base, %ebx
	movl $0x100, %esi
	movb base + 1, %cl
	EXPECT32(b, MMIO_BYTE(base + 1), %cl)
	movb (%ebx), %ch
	EXPECT32(b, MMIO_BYTE(base), %ch)
	movw 0x7f(%ebx), %cx
	EXPECT32(w, MMIO_WORD(base + 0x7f), %cx)
	movl -0x80(%ebx), %ecx
	EXPECT32(l, MMIO_LONG(base - 0x80), %ecx)
	movl 0x12344(%ebx), %ecx
	EXPECT32(l, MMIO_LONG(base + 0x12344), %ecx)
	movl (%ebx,%esi), %edx
	EXPECT32(l, MMIO_LONG(base + 0x100), %edx)
	movl 8(%ebx,%esi,2), %edx
	EXPECT32(l, MMIO_LONG(base + 0x208), %edx)
	movl 0x1000(%ebx,%esi,4), %edx
	EXPECT32(l, MMIO_LONG(base + 0x1400), %edx)
	movl base(,%esi,8), %edi
	EXPECT32(l, MMIO_LONG(base + 0x800), %edi)
	movl $base + 0x40, %ebp
	movl (%ebp), %eax
	EXPECT32(l, MMIO_LONG(base + 0x40), %eax)
	// Every register as destination and as source.
	movl base + 4, %eax
	movl base + 8, %ecx
	movl base + 12, %edx
	EXPECT32(l, MMIO_LONG(base + 4), %eax)
	EXPECT32(l, MMIO_LONG(base + 8), %ecx)
	EXPECT32(l, MMIO_LONG(base + 12), %edx)
	movl %esp, %edx
	movl base + 16, %esp
	xchgl %esp, %edx
	EXPECT32(l, MMIO_LONG(base + 16), %edx)
	movl $0x12345678, %eax
	movb %al, base
	movb %ah, base
	movw %ax, base
	movl %eax, (%ebx)
	movb %bh, (%ebx)
	movl %esp, base + 4
	movl %ebp, base + 8
	// High-byte registers as destinations keep the rest.
	movl $0x11223344, %eax
	movl $0x11223344, %edx
	movb base + 3, %ah
	EXPECT32(l, 0x11220044 | MMIO_BYTE(base + 3) << 8, %eax)
	movb base + 5, %dh
	EXPECT32(l, 0x11220044 | MMIO_BYTE(base + 5) << 8, %edx)
	// moffs, with and without prefixes.
	.byte 0xa0; .long base + 0x21
	EXPECT32(b, MMIO_BYTE(base + 0x21), %al)
	.byte 0x66, 0xa1; .long base + 0x22
	EXPECT32(w, MMIO_WORD(base + 0x22), %ax)
	.byte 0xa1; .long base + 0x24
	EXPECT32(l, MMIO_LONG(base + 0x24), %eax)
	.byte 0xa2; .long base + 0x28
	.byte 0x66, 0xa3; .long base + 0x2a
	.byte 0xa3; .long base + 0x2c
	// Immediates.
	movb $0xfe, (%ebx)
	movw $0xfedc, 2(%ebx)
	movl $0xfedcba98, base(,%esi,1)
	// Extensions.
	movzbl base + 0x31, %eax
	EXPECT32(l, MMIO_BYTE(base + 0x31), %eax)
	movl $-1, %eax
	movzbw base + 0x31, %ax
	EXPECT32(l, 0xffff0000 | MMIO_BYTE(base + 0x31), %eax)
	movzwl base + 0x31, %eax
	EXPECT32(l, MMIO_WORD(base + 0x31), %eax)
	movsbl base + 0xff, %eax
	EXPECT32(l, (MMIO_BYTE(base + 0xff) ^ 0x80) - 0x80, %eax)
	movswl base + 0xff, %eax
	EXPECT32(l, (MMIO_WORD(base + 0xff) ^ 0x8000) - 0x8000, %eax)
	movsbw base + 0x33, %cx
	EXPECT32(w, ((MMIO_BYTE(base + 0x33) ^ 0x80) - 0x80) & 0xffff, %cx)
	// A segment with a base, by prefix.
	movl $0x4500ffff, gdt32_spare
	movl $0x10cf9300, gdt32_spare + 4 // base 0x10004500
	movw $SPARE32, %ax
	movw %ax, %fs
	movw %ax, %gs
	movl %fs:0x10, %eax
	EXPECT32(l, MMIO_LONG(0x10004510), %eax)
	movl %eax, %gs:(%esi)
	movb %gs:0x11, %al
	EXPECT32(b, MMIO_BYTE(0x10004511), %al)
	// 16-bit addresses.
	movl $0xffff0020, %edi
	movl %fs:4(%di), %eax
	EXPECT32(l, MMIO_LONG(0x10004524), %eax)
	// 16-bit code with 32-bit prefixes.
	movl $0x40, %edi
	ljmpl $CODE16, $in16
	.code16
in16:	movl 0x50(%ebx), %ecx
	movw 0x14(%ebx,%edi), %dx
	movw %fs:0x56, %si
	ljmpl $CODE32, $in32
	.code32
in32:	EXPECT32(l, MMIO_LONG(base + 0x50), %ecx)
	EXPECT32(w, MMIO_WORD(base + 0x54), %dx)
	EXPECT32(w, MMIO_WORD(0x10004556), %si)
	jmp pass32
