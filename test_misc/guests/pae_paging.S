// SPDX-License-Identifier: MIT OR GPL-2.0-only
// PAE paging: four PDPTEs, 4 KiB and 2 MiB pages, memory above 4 GiB, PDPTEs taken at CR3 loads only, #PF, NX.
#include "protected32.h"
	.set pdpt, 0x20000
	.set directory, 0x21000
	.set directory2, 0x22000
	.set directory3, 0x25000
	.set table, 0x23000
START32
	cld
	xorl %eax, %eax
	movl $pdpt, %edi
	movl $0x6000 / 4, %ecx
	rep stosl
	movl $directory + 1, pdpt
	movl $directory2 + 1, pdpt + 16
	movl $0x83, directory           // identity, 2 MiB
	movl $table + 3, directory + 8  // virtual 0x200000
	movl $0x200083, directory2      // virtual 0x80000000 -> 2 MiB
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x800, %eax
	wrmsr
	movl $pdpt, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80010000, %eax
	movl %eax, %cr0
	// 4 KiB pages, below and above 4 GiB.
	movl $0x30003, table
	movl $0x40000003, table + 8
	movl $1, table + 12
	movl $0x11111111, 0x200010
	EXPECT32(l, 0x11111111, 0x30010)
	movl $0x22222222, 0x201010
	EXPECT32(l, 0x22222222, 0x201010)
	// The same page of slot 1 by another way: 2 MiB at 0x140000000.
	movl $0x40000083, directory2 + 8
	movl $1, directory2 + 12
	EXPECT32(l, 0x22222222, 0x80200010)
	// A 2 MiB page.
	movl $0x33333333, 0x80000100
	EXPECT32(l, 0x33333333, 0x80000100)
	// #PF: page, directory, PDPT not present; read-only; NX.
	EXPECT_TRAP32(14, 0, movl 0x202000, %eax)
	EXPECT32(l, 0x202000, trap_cr232)
	EXPECT_TRAP32(14, 2, movl %eax, 0x800000)
	EXPECT_TRAP32(14, 0, movl 0x40000000, %eax)
	EXPECT32(l, 0x40000000, trap_cr232)
	movl $0x30001, table + 0x18
	EXPECT_TRAP32(14, 3, movl %eax, 0x203004)
	movl $0x80000000, table + 0x1c
	invlpg 0x203000
	movb $0xc3, 0x200020
	movl $0x203020, %ebx
	EXPECT_TRAP32(14, 0x11, call *%ebx)
	// A PDPTE in memory counts from the next CR3 load on.
	movl $directory3 + 1, pdpt + 8
	movl $table + 3, directory3
	EXPECT_TRAP32(14, 0, movl 0x40000000, %eax)
	movl %cr3, %eax
	movl %eax, %cr3
	EXPECT32(l, 0x11111111, 0x40000010)
	// Another one replaces it.
	movl $directory2 + 1, pdpt + 8
	movl %cr3, %eax
	movl %eax, %cr3
	EXPECT32(l, 0x33333333, 0x40000100)
	// MMIO through PAE tables.
	movl $0x7003, table + 0x28
	movl $1, table + 0x2c
	movl 0x205004, %eax
	EXPECT32(l, MMIO_LONG(0x100007004), %eax)
	// Reserved bits in a PDPTE: #GP on the CR3 load, nothing changes.
	movl $directory + 0x7, pdpt + 24
	movl %cr3, %eax
	EXPECT_TRAP32(13, 0, movl %eax, %cr3)
	EXPECT32(l, 0x33333333, 0x40000100)
	// Paging off, and on again.
	movl $0, pdpt + 24
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	EXPECT32(l, 0x11111111, 0x30010)
	orl $0x80000000, %eax
	movl %eax, %cr0
	EXPECT32(l, 0x11111111, 0x200010)
	jmp pass32
