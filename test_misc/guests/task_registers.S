// SPDX-License-Identifier: MIT OR GPL-2.0-only
// LTR, LLDT, STR, SLDT, SGDT, SIDT, LAR, LSL, VERR, VERW; a segment in the LDT; errors of each.
#include "protected32.h"
	.set ldt, 0x14000
	.set place, 0x15000
START32
	str %ax
	EXPECT32(w, TSS32, %ax)
	EXPECT32(b, 0x8b, gdt32 + TSS32 + 5)    // busy since LTR
	movl $TSS32, %eax
	EXPECT_TRAP32(13, TSS32, ltr %ax)
	movl $DATA32, %eax
	EXPECT_TRAP32(13, DATA32, ltr %ax)
	xorl %eax, %eax
	EXPECT_TRAP32(13, 0, ltr %ax)
	// An LDT with one data segment of base 0x15000.
	sldt %ax
	EXPECT32(w, 0, %ax)
	movl $(ldt & 0xffff) << 16 | 0x17, gdt32_spare
	movl $0x8200 | ldt >> 16, gdt32_spare + 4
	movl $0x5000ffff, ldt + 8
	movl $0x004f9301, ldt + 12
	movl $SPARE32, %eax
	lldt %ax
	sldt %bx
	EXPECT32(w, SPARE32, %bx)
	movl $0xc, %eax                         // entry 1 of the LDT
	movw %ax, %fs
	movl $0x600d, %fs:0x10
	outb %al, $0x42
	EXPECT32(l, 0x600d, place + 0x10)
	EXPECT32(l, 0x600d, %fs:0x10)
	movl $0x1c, %eax                        // entry 3: beyond its end
	EXPECT_TRAP32(13, 0x1c, movw %ax, %fs)
	movl $0x0000, %eax
	lldt %ax
	movl $0xc, %eax
	EXPECT_TRAP32(13, 0xc, movw %ax, %fs)
	movl $DATA32, %eax
	EXPECT_TRAP32(13, DATA32, lldt %ax)
	// The tables' registers.
	sgdtl place
	EXPECT32(w, 10 * 8 - 1, place)
	EXPECT32(l, gdt32, place + 2)
	sidtl place
	EXPECT32(w, 64 * 8 - 1, place)
	EXPECT32(l, 0x10000, place + 2)
	// Limits and rights.
	movl $CODE32, %eax
	lsll %eax, %ebx
	REQUIRE32(z)
	EXPECT32(l, 0xffffffff, %ebx)
	larl %eax, %ebx
	REQUIRE32(z)
	EXPECT32(l, 0x00cf9b00, %ebx)
	movl $0x100, %eax
	larl %eax, %ebx
	REQUIRE32(nz)
	lsll %eax, %ebx
	REQUIRE32(nz)
	movl $CODE32, %eax
	verr %ax
	REQUIRE32(z)
	verw %ax
	REQUIRE32(nz)
	movl $DATA32, %eax
	verw %ax
	REQUIRE32(z)
	jmp pass32
