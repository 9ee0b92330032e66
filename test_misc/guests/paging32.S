// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Two-level 32-bit paging: 4 KiB pages, 4 MiB pages (CR4.PSE), global pages, CR0.WP, user bits, #PF.
#include "protected32.h"
	.set directory, 0x20000
	.set table, 0x21000
START32
	cld
	xorl %eax, %eax
	movl $directory, %edi
	movl $0x2000 / 4, %ecx
	rep stosl
	movl $0x87, directory               // identity, 4 MiB, for ring 3 too
	movl $0x400083, directory + 4 * 0x300 // virtual 0xc0000000 -> 4 MiB
	movl $table + 7, directory + 4 * 2  // virtual 0x800000
	movl %cr4, %eax
	orl $0x10, %eax
	movl %eax, %cr4
	movl $directory, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	movl $0x12121212, 0xc0000020
	movl $0x30003, table
	movl $0x34343434, 0x800020
	EXPECT32(l, 0x34343434, 0x30020)
	movl table, %eax
	andl $0x60, %eax
	EXPECT32(l, 0x60, %eax)
	// Not present: page and directory entry.
	EXPECT_TRAP32(14, 0, movl 0x801ffe, %eax)
	EXPECT32(l, 0x801ffe, trap_cr232)
	EXPECT_TRAP32(14, 2, movl %eax, 0xd0000000)
	EXPECT32(l, 0xd0000000, trap_cr232)
	// Read-only: without CR0.WP ring 0 may write.
	movl $0x30005, table + 8
	movl $0x56565656, 0x802020
	EXPECT32(l, 0x56565656, 0x30020)
	movl %cr0, %eax
	orl $0x10000, %eax
	movl %eax, %cr0
	EXPECT_TRAP32(14, 3, movl %eax, 0x802020)
	// Ring 3: supervisor pages are closed, read-only ones readable.
	movl $1f, %ebx
	call to_ring3
1:	movl 0x802020, %eax
	EXPECT_TRAP32(14, 5, movl 0x800020, %eax)
	movl $2f, %ebx
	call to_ring3
2:	EXPECT_TRAP32(14, 7, movl %eax, 0x802020)
	movl $3f, %ebx
	call to_ring3
3:	EXPECT_TRAP32(14, 4, movl 0x803000, %eax)
	movl $4f, %ebx
	call to_ring3
4:	EXPECT_TRAP32(14, 5, movl 0xc0000000, %eax)
	// A changed entry after INVLPG.
	movl $0x31003, table
	invlpg 0x800000
	movl $0x78787878, 0x800020
	EXPECT32(l, 0x78787878, 0x31020)
	EXPECT32(l, 0x56565656, 0x30020)
	// 4 MiB page split into 4 KiB ones and back.
	movl $table + 0x7, directory + 4 * 0x300
	movl %cr3, %eax
	movl %eax, %cr3
	EXPECT32(l, 0x78787878, 0xc0000020)
	movl $0x400083, directory + 4 * 0x300
	movl %eax, %cr3
	EXPECT32(l, 0x12121212, 0xc0000020)
	// Without PSE the same entry names a table (at 0x400000, which holds zeroes): not present.
	movl $0x23000, %edi
	movl $0x7, %eax
5:	stosl
	addl $0x1000, %eax
	cmpl $0x400007, %eax
	jb 5b
	movl $0x23007, directory
	movl %cr3, %eax
	movl %eax, %cr3
	movl %cr4, %ebx
	andl $~0x10, %ebx
	movl %ebx, %cr4
	EXPECT_TRAP32(14, 0, movl 0xc0000020, %eax)
	orl $0x10, %ebx
	movl %ebx, %cr4
	EXPECT32(l, 0x12121212, 0xc0000020)
	jmp pass32

// Goes on at %ebx in ring 3.
to_ring3:
	addl $4, %esp
	movw $USER_DATA32, %ax
	movw %ax, %ds
	movw %ax, %es
	pushl $USER_DATA32
	pushl $0x8400
	pushl $2
	pushl $USER_CODE32
	pushl %ebx
	iretl
