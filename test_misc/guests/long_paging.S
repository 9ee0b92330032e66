// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Own page tables in long mode with 4 KiB, 2 MiB pages and memory above 4 GiB; #PF with CR2 and every error code bit.
#include "long64.h"
	.set pml4, 0x20000
	.set pdpt, 0x21000
	.set directory, 0x22000
	.set table, 0x23000     // virtual 0x400000 on
	.set high_pdpt, 0x24000
	.set high_directory, 0x25000
	.set high_table, 0x26000
	.set virtual, 0x400000
	.set NX, 1 << 63
START64
	movq $pdpt + 7, pml4
	movq $directory + 7, pdpt
	movq $0x83, directory           // identity: the first 2 MiB, supervisor
	movq $table + 7, directory + 16
	movq $high_pdpt + 3, pml4 + 0xff8
	movq $high_directory + 3, high_pdpt + 0xff0
	movq $high_table + 3, high_directory + 0xff8
	// EFER.NXE, so that NX is no reserved bit.
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x800, %eax
	wrmsr
	movl $pml4, %eax
	movq %rax, %cr3
	movabsq $NX, %r14
	// 0: present, writable.
	movq $0x30003, table
	movl $0x1234, virtual
	EXPECT64(l, 0x1234, 0x30000)
	// Accessed and dirty were set.
	movq table, %rax
	andl $0x60, %eax
	EXPECT64(l, 0x60, %eax)
	// 1: not present: read, write, fetch.
	EXPECT_TRAP64(14, 0, movl virtual + 0x1008, %eax)
	EXPECTQ(virtual + 0x1008, trap_cr264)
	EXPECT_TRAP64(14, 2, movl %eax, virtual + 0x1ffe)
	EXPECTQ(virtual + 0x1ffe, trap_cr264)
	movl $virtual + 0x1123, %ebx
	EXPECT_TRAP64(14, 0x10, jmp *%rbx)
	EXPECTQ(virtual + 0x1123, trap_cr264)
	EXPECTQ(virtual + 0x1123, trap_rip64)
	// The second page of an access that lies on two pages faults: CR2 is its first byte there.
	EXPECT_TRAP64(14, 0, movl virtual + 0xffe, %eax)
	EXPECTQ(virtual + 0x1000, trap_cr264)
	// 2: read-only: readable, not writable with CR0.WP, writable without.
	movq $0x32001, table + 0x10
	movl virtual + 0x2000, %eax
	EXPECT_TRAP64(14, 3, movb $1, virtual + 0x2004)
	EXPECTQ(virtual + 0x2004, trap_cr264)
	movq %cr0, %rax
	andl $~0x10000, %eax
	movq %rax, %cr0
	movb $0x77, virtual + 0x2004
	orl $0x10000, %eax
	movq %rax, %cr0
	EXPECT64(b, 0x77, 0x32004)
	EXPECT_TRAP64(14, 3, movb $1, virtual + 0x2004)
	// 3: NX: no fetch.
	movq $0x33003, %rax
	orq %r14, %rax
	movq %rax, table + 0x18
	movb $0xc3, virtual + 0x3000
	movl $virtual + 0x3000, %ebx
	EXPECT_TRAP64(14, 0x11, jmp *%rbx)
	// The same without NX: the byte is RET.
	movq $0x33003, table + 0x18
	invlpg virtual + 0x3000
	call *%rbx
	// 4: a reserved bit.
	movabsq $0x0008000000034003, %rax
	movq %rax, table + 0x20
	EXPECT_TRAP64(14, 9, movl virtual + 0x4000, %eax)
	EXPECT_TRAP64(14, 11, movl %eax, virtual + 0x4000)
	// 5: a fault that is mended and tried again.
	GATE64(14, mend)
	movl $0x5555, virtual + 0x5010
	EXPECT64(l, 0x5555, 0x35010)
	EXPECT64(l, 1, mended)
	// Page crossing of two pages that are apart in memory.
	movq $0x3e003, table + 0x30
	movq $0x3c003, table + 0x38
	movabsq $0x1122334455667788, %rax
	movq %rax, virtual + 0x7000 - 3
	EXPECT64(b, 0x66, 0x3efff)
	EXPECT64(l, 0x22334455, 0x3c000)
	movq virtual + 0x7000 - 3, %rbx
	cmpq %rax, %rbx
	REQUIRE64(e)
	// The kernel's half, and memory above 4 GiB.
	movabsq $0x140000003, %rax
	movq %rax, high_table + 0xff8
	movabsq $0xffffffffbffff000, %rbx
	movq %rbx, 0x18(%rbx)
	movq 0x18(%rbx), %rax
	cmpq %rax, %rbx
	REQUIRE64(e)
	// MMIO above 4 GiB.
	movabsq $0x7f0000003, %rax
	movq %rax, high_table + 0xff8
	invlpg (%rbx)
	movq 0x20(%rbx), %rax
	EXPECTQ(MMIO_QUAD(0x7f0000020), %rax)
	movw %ax, 0x22(%rbx)
	// A non-canonical address is #GP, on the stack #SS.
	movabsq $0x800000000000, %rbx
	EXPECT_TRAP64(13, 0, movl (%rbx), %eax)
	movq %rbp, %r13
	movabsq $0x800000000000, %rbp
	EXPECT_TRAP64(12, 0, movl (%rbp), %eax)
	jmp pass64

mend:	movq $0x35003, table + 0x28
	incl mended
	cmpl $1, mended
	REQUIRE64(e)
	addq $8, %rsp
	iretq
mended:	.long 0
