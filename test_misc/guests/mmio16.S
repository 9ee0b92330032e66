// SPDX-License-Identifier: MIT OR GPL-2.0-only
// MMIO loads and stores from real mode: every 16-bit addressing form, moffs, immediates, segments, 32-bit addresses.
#include "real16.h"
	.set base, 0xd0000
	.set es_base, 0xe0000
START16
	movw $0xd000, %ax
	movw %ax, %ds
	movw $0xe000, %ax
	movw %ax, %es
	// moffs.
	movb 0x10, %al
	EXPECT16(b, MMIO_BYTE(base + 0x10), %al)
	movw 0x20, %ax
	EXPECT16(w, MMIO_WORD(base + 0x20), %ax)
	movl 0x30, %eax
	EXPECT16(l, MMIO_LONG(base + 0x30), %eax)
	movb %al, 0x40
	movw %ax, 0x42
	movl %eax, 0x44
	movb %es:0x50, %al
	EXPECT16(b, MMIO_BYTE(es_base + 0x50), %al)
	// Each mod/rm form of 16 bits.
	movw $0x1000, %bx
	movw $0x0200, %si
	movw $0x0400, %di
	movw $0x2000, %bp
	movb (%bx,%si), %cl
	EXPECT16(b, MMIO_BYTE(base + 0x1200), %cl)
	movb (%bx,%di), %ch
	EXPECT16(b, MMIO_BYTE(base + 0x1400), %ch)
	movw %ds:(%bp,%si), %cx
	EXPECT16(w, MMIO_WORD(base + 0x2200), %cx)
	movw %ds:(%bp,%di), %cx
	EXPECT16(w, MMIO_WORD(base + 0x2400), %cx)
	movl (%si), %ecx
	EXPECT16(l, MMIO_LONG(base + 0x200), %ecx)
	movl (%di), %ecx
	EXPECT16(l, MMIO_LONG(base + 0x400), %ecx)
	movw 0x77(%bx), %dx
	EXPECT16(w, MMIO_WORD(base + 0x1077), %dx)
	movw -4(%bx,%si), %dx
	EXPECT16(w, MMIO_WORD(base + 0x11fc), %dx)
	movw 0x1234(%bx,%di), %dx
	EXPECT16(w, MMIO_WORD(base + 0x2634), %dx)
	movl %es:0x6001, %edx
	EXPECT16(l, MMIO_LONG(es_base + 0x6001), %edx)
	// The sum wraps at 64 KiB.
	movw $0xf000, %bx
	movw $0x1300, %si
	movb (%bx,%si), %dl
	EXPECT16(b, MMIO_BYTE(base + 0x300), %dl)
	// MOVZX and MOVSX.
	movl $-1, %ecx
	movzbw 0x21, %cx
	EXPECT16(l, 0xffff0000 | MMIO_BYTE(base + 0x21), %ecx)
	movzwl 0x22, %ecx
	EXPECT16(l, MMIO_WORD(base + 0x22), %ecx)
	movsbl 0x5f, %ecx
	EXPECT16(l, (MMIO_BYTE(base + 0x5f) ^ 0x80) - 0x80, %ecx)
	// Immediates.
	movb $0x12, 0x60
	movw $0x3456, 0x62
	movl $0x789abcde, 0x64
	// 32-bit addresses with a scaled index.
	movl $0x2, %ebx
	movl $0x40, %esi
	movw 0x10(%ebx,%esi,8), %cx
	EXPECT16(w, MMIO_WORD(base + 0x212), %cx)
	movl %ecx, (%esi)
	// %bp means the stack's segment.
	movw %es, %ax
	movw %ax, %ss
	movw $0x100, %bp
	movb (%bp), %al
	EXPECT16(b, MMIO_BYTE(es_base + 0x100), %al)
	xorw %ax, %ax
	movw %ax, %ss
	movw %ax, %ds
	movw %ax, %es
	jmp pass16
