/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>

/* struct lkx_regs: sixteen registers in the order of their encoding, then what VMCS HOST_RSP holds. */
#define GPR(number) ((number) * 8)
#define RSP_SLOT 4
#define LKX_REGS_HOST_RSP 128
#define VMCS_HOST_RSP 0x6c14

.section .noinstr.text, "ax"

/*
 * bool lkx_vmenter(struct lkx_regs *regs, bool launched)
 *
 * Runs the guest of the current VMCS from its state until a VM exit, by VMRESUME when `launched`, else by VMLAUNCH.
 *
 * Called with interrupts off, and with HOST_RIP of the VMCS naming lkx_vmexit. The guest's general registers but RSP come from
 * *regs and go back there; RSP, RIP and RFLAGS are in the VMCS. Callee-saved registers are kept; RFLAGS on return
 * is what a VM exit leaves (everything clear: interrupts off). No guest value is left in any register, and the return
 * stack, branch history and IBRS are as the host's mitigations want them before the first RET.
 *
 * Returns false after a VM exit; true when the instruction failed (VMfail, or not in VMX operation): *regs is unchanged.
 */
SYM_FUNC_START(lkx_vmenter)
	push	%rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdi

	/* The stack at the exit is the stack now; the field rarely changes. */
	cmp	%rsp, LKX_REGS_HOST_RSP(%rdi)
	je	.Lhost_rsp_known
	mov	%rsp, LKX_REGS_HOST_RSP(%rdi)
	mov	$VMCS_HOST_RSP, %eax
.Lvmwrite:
	vmwrite	%rsp, %rax
	_ASM_EXTABLE(.Lvmwrite, .Lfailed)
.Lhost_rsp_known:
	/* CF = launched: nothing below changes it. */
	bt	$0, %esi

	mov	GPR(0)(%rdi), %rax
	mov	GPR(1)(%rdi), %rcx
	mov	GPR(2)(%rdi), %rdx
	mov	GPR(3)(%rdi), %rbx
	mov	GPR(5)(%rdi), %rbp
	mov	GPR(6)(%rdi), %rsi
	mov	GPR(8)(%rdi), %r8
	mov	GPR(9)(%rdi), %r9
	mov	GPR(10)(%rdi), %r10
	mov	GPR(11)(%rdi), %r11
	mov	GPR(12)(%rdi), %r12
	mov	GPR(13)(%rdi), %r13
	mov	GPR(14)(%rdi), %r14
	mov	GPR(15)(%rdi), %r15
	mov	GPR(7)(%rdi), %rdi

	/* Buffers that the guest could read host data from (MDS and kin). Changes ZF only. */
	VM_CLEAR_CPU_BUFFERS
	jc	.Lvmresume

	UNWIND_HINT_SAVE
.Lvmlaunch:
	vmlaunch
	jmp	.Lfailed
.Lvmresume:
	vmresume
	jmp	.Lfailed
	_ASM_EXTABLE(.Lvmlaunch, .Lfailed)
	_ASM_EXTABLE(.Lvmresume, .Lfailed)

SYM_INNER_LABEL(lkx_vmexit, SYM_L_GLOBAL)
	/* VM exit comes here with the host's RSP, and the guest's in everything else. */
	UNWIND_HINT_RESTORE
	ENDBR
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, GPR(0)(%rdi)
	mov	%rcx, GPR(1)(%rdi)
	mov	%rdx, GPR(2)(%rdi)
	mov	%rbx, GPR(3)(%rdi)
	mov	%rbp, GPR(5)(%rdi)
	mov	%rsi, GPR(6)(%rdi)
	pop	GPR(7)(%rdi)
	mov	%r8, GPR(8)(%rdi)
	mov	%r9, GPR(9)(%rdi)
	mov	%r10, GPR(10)(%rdi)
	mov	%r11, GPR(11)(%rdi)
	mov	%r12, GPR(12)(%rdi)
	mov	%r13, GPR(13)(%rdi)
	mov	%r14, GPR(14)(%rdi)
	mov	%r15, GPR(15)(%rdi)
	xor	%r11d, %r11d

.Lleave:
	/* What the guest left in registers must not steer speculation. rbx, rbp, r12 to r15 are popped below. */
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d

	/* The guest has filled the return stack with its own addresses. */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, X86_FEATURE_RSB_VMEXIT_LITE
	/* Without enhanced IBRS, IBRS protects only what comes after a write of it in host mode. */
	ALTERNATIVE "jmp .Librs_done", "", X86_FEATURE_KERNEL_IBRS
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	mov	PER_CPU_VAR(x86_spec_ctrl_current), %eax
	xor	%edx, %edx
	wrmsr
.Librs_done:
	CLEAR_BRANCH_HISTORY_VMEXIT

	mov	%r11d, %eax
	add	$8, %rsp
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

.Lfailed:
	mov	$1, %r11d
	jmp	.Lleave
SYM_FUNC_END(lkx_vmenter)

.text

/*
 * void lkx_call_handler(unsigned long handler)
 *
 * Calls the host's handler of an interrupt as the processor would if it took the interrupt here: with a frame to IRET from, which leads back.
 * Called with interrupts off; they are off for the handler, and on return. SDM vol. 3, 6.14.
 */
SYM_FUNC_START(lkx_call_handler)
	push	%rbp
	mov	%rsp, %rbp
	and	$-16, %rsp
	push	$__KERNEL_DS
	push	%rbp
	pushf
	push	$__KERNEL_CS
	/* The return address is the frame's RIP. */
	CALL_NOSPEC rdi
	/* IRET has taken RSP from the frame. */
	mov	%rbp, %rsp
	pop	%rbp
	RET
SYM_FUNC_END(lkx_call_handler)
