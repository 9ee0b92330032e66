// SPDX-License-Identifier: MIT OR GPL-2.0-only
// MMIO loads in long mode: sizes, extensions, REX registers, addressing forms, segment bases, moffs.
#include "long64.h"
	.set base, 0x20000000
START64
	movl $base, %ebx
	movq %rbx, %r13
	movl $0x80, %r12d
	// Sizes: a load of 32 bits clears the high half, smaller ones keep the rest.
	movabsq $0x1122334455667788, %rax
	movb (%rbx), %al
	EXPECTQ(0x1122334455667700 | MMIO_BYTE(base), %rax)
	movw 1(%rbx), %ax
	EXPECTQ(0x1122334455660000 | MMIO_WORD(base + 1), %rax)
	movl 2(%rbx), %eax
	EXPECTQ(MMIO_LONG(base + 2), %rax)
	movq 3(%rbx), %rax
	EXPECTQ(MMIO_QUAD(base + 3), %rax)
	// REX registers on either side, and every form of address.
	movq (%r13), %r8
	EXPECTQ(MMIO_QUAD(base), %r8)
	movq 0x10(%r13), %r14
	EXPECTQ(MMIO_QUAD(base + 0x10), %r14)
	movl (%rbx,%r12,4), %r9d
	EXPECTQ(MMIO_LONG(base + 0x200), %r9)
	movq 0x12345(%r13,%r12,2), %r10
	EXPECTQ(MMIO_QUAD(base + 0x12445), %r10)
	movq %rsp, %rdx
	movl $base + 0x400, %esp
	movq (%rsp), %r11
	movq 8(%rsp,%r12), %rcx
	movq %rdx, %rsp
	EXPECTQ(MMIO_QUAD(base + 0x400), %r11)
	EXPECTQ(MMIO_QUAD(base + 0x488), %rcx)
	movq base + 0x18, %rsi
	EXPECTQ(MMIO_QUAD(base + 0x18), %rsi)
	movq base(,%r12,8), %rdi
	EXPECTQ(MMIO_QUAD(base + 0x400), %rdi)
	movq $-0x80, %rdi
	movb base + 0x80(%rdi), %bpl
	EXPECT64(b, MMIO_BYTE(base), %bpl)
	movb 7(%r13), %sil
	EXPECT64(b, MMIO_BYTE(base + 7), %sil)
	movb 8(%r13), %r9b
	EXPECT64(b, MMIO_BYTE(base + 8), %r9b)
	// High bytes: without REX they are ah, ch, dh, bh.
	movabsq $0x1122334455667788, %rcx
	movb 9(%rbx), %ch
	EXPECTQ(0x1122334455660088 | MMIO_BYTE(base + 9) << 8, %rcx)
	// Relative to rip.
	movl $rip_code, %esi
	movl $0x14000, %edi
	movl $rip_code_end - rip_code, %ecx
	cld
	rep movsb
	movl $0x14000, %eax
	call *%rax
	EXPECTQ(MMIO_QUAD(0x14007 + 0x1fff0000), %rax)
	EXPECTQ(MMIO_BYTE(0x1400e + 0x1fff0000), %rcx)
	// Zero and sign extensions to each size.
	movabsq $-1, %rax
	movzbw 0x31(%rbx), %ax
	EXPECTQ(0xffffffffffff0000 | MMIO_BYTE(base + 0x31), %rax)
	movzbl 0x31(%rbx), %eax
	EXPECTQ(MMIO_BYTE(base + 0x31), %rax)
	movzbq 0xff(%r13), %rax
	EXPECTQ(MMIO_BYTE(base + 0xff), %rax)
	movzwl 0xff(%rbx), %eax
	EXPECTQ(MMIO_WORD(base + 0xff), %rax)
	movzwq 0xff(%rbx), %r14
	EXPECTQ(MMIO_WORD(base + 0xff), %r14)
	movsbq 0xff(%rbx), %rax
	EXPECTQ((MMIO_BYTE(base + 0xff) ^ 0x80) - 0x80, %rax)
	movsbl 0xff(%rbx), %eax
	EXPECTQ(((MMIO_BYTE(base + 0xff) ^ 0x80) - 0x80) & 0xffffffff, %rax)
	movswq 0xfe(%rbx), %r10
	EXPECTQ((MMIO_WORD(base + 0xfe) ^ 0x8000) - 0x8000, %r10)
	movslq 0xfc(%rbx), %rax
	EXPECTQ((MMIO_LONG(base + 0xfc) ^ 0x80000000) - 0x80000000, %rax)
	movslq 0x3c(%r13), %r8
	EXPECTQ((MMIO_LONG(base + 0x3c) ^ 0x80000000) - 0x80000000, %r8)
	// moffs of 64 bits, and of 32 by the address-size prefix.
	movabsb base + 0x41, %al
	EXPECT64(b, MMIO_BYTE(base + 0x41), %al)
	movabsw base + 0x42, %ax
	EXPECT64(w, MMIO_WORD(base + 0x42), %ax)
	movabsl base + 0x44, %eax
	EXPECTQ(MMIO_LONG(base + 0x44), %rax)
	movabsq base + 0x48, %rax
	EXPECTQ(MMIO_QUAD(base + 0x48), %rax)
	.byte 0x67, 0x48, 0xa1
	.long base + 0x50
	EXPECTQ(MMIO_QUAD(base + 0x50), %rax)
	// Address-size prefix: the sum is cut to 32 bits.
	movabsq $0x7700000000000000 + base, %rax
	movq 0x58(%eax), %rcx
	EXPECTQ(MMIO_QUAD(base + 0x58), %rcx)
	// fs and gs bases.
	WRITE_MSR(0xc0000100, 0x20001000)
	WRITE_MSR(0xc0000101, 0x20002000)
	movl $0x10, %eax
	movq %fs:(%rax), %rcx
	EXPECTQ(MMIO_QUAD(0x20001010), %rcx)
	movl %gs:0x20, %ecx
	EXPECTQ(MMIO_LONG(0x20002020), %rcx)
	// ds, es, ss, cs overrides do nothing here.
	.byte 0x2e
	movl (%rbx), %ecx
	EXPECTQ(MMIO_LONG(base), %rcx)
	// Destination is also the base, the index is also the base.
	movq %rbx, %rax
	movq (%rax), %rax
	EXPECTQ(MMIO_QUAD(base), %rax)
	movl $base / 2, %ecx
	movq (%rcx,%rcx), %rcx
	EXPECTQ(MMIO_QUAD(base), %rcx)
	jmp pass64

// Runs at 0x14000, where the assembler knows what it is relative to.
rip_code:
	movq 0x1fff0000(%rip), %rax
	movzbl 0x1fff0000(%rip), %ecx
	ret
rip_code_end:
