// SPDX-License-Identifier: MIT OR GPL-2.0-only
// INVLPG, CR3 loads and global pages show changed tables; WBINVD, INVD, CLFLUSH, PAUSE, MONITOR and MWAIT just go on.
#include "long64.h"
	.set table, 0x23000
	.set virtual, 0x400000
START64
	movl $0x11111111, 0x30000
	movl $0x22222222, 0x31000
	movl $0x33333333, 0x32000
	movq $table + 3, 0xb010
	movq $0x30003, table
	movq %cr3, %r12
	movq %r12, %cr3
	EXPECT64(l, 0x11111111, virtual)
	movq $0x31003, table
	invlpg virtual + 0x123
	EXPECT64(l, 0x22222222, virtual)
	movq $0x32003, table
	movq %r12, %cr3
	EXPECT64(l, 0x33333333, virtual)
	// A global page: INVLPG and CR4.PGE reach it.
	movq %cr4, %rax
	orl $0x80, %eax
	movq %rax, %cr4
	movq $0x30103, table
	invlpg virtual
	EXPECT64(l, 0x11111111, virtual)
	movq $0x31103, table
	invlpg virtual
	EXPECT64(l, 0x22222222, virtual)
	movq $0x32103, table
	movq %cr4, %rax
	andl $~0x80, %eax
	movq %rax, %cr4
	EXPECT64(l, 0x33333333, virtual)
	// Rights that were taken away.
	movq $0x32001, table
	invlpg virtual
	EXPECT_TRAP64(14, 3, movl $0, virtual)
	movq $0, table
	invlpg virtual
	EXPECT_TRAP64(14, 0, movl virtual, %eax)
	// Many changes in turn.
	movl $100, %ecx
1:	movl %ecx, %eax
	andl $1, %eax
	shll $12, %eax
	addl $0x30003, %eax
	movq %rax, table
	invlpg virtual
	movl virtual, %ebx
	movl -3(%rax), %edx
	cmpl %edx, %ebx
	REQUIRE64(e)
	decl %ecx
	jnz 1b
	wbinvd
	clflush virtual
	pause
	pause
	mfence
	// INVD would lose data on bare hardware; under a hypervisor it is as WBINVD.
	movl $0x44444444, 0x30000
	wbinvd
	invd
	EXPECT64(l, 0x44444444, 0x30000)
	jmp pass64
