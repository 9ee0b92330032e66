/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Architectural bits and numbers under the core's own names, so that none depends on whose headers are near. SDM vol. 3. */
#ifndef LKX_X86_H
#define LKX_X86_H

#include "plat.h"

enum lkx_msr_index {
#define LKX_MSR(name, index, keep, list) MSR_INDEX_##name = index,
#include "tables/msrs.def"
#undef LKX_MSR
};

#define CR0_PE BIT_ULL(0)
#define CR0_MP BIT_ULL(1)
#define CR0_EM BIT_ULL(2)
#define CR0_TS BIT_ULL(3)
#define CR0_ET BIT_ULL(4)
#define CR0_NE BIT_ULL(5)
#define CR0_WP BIT_ULL(16)
#define CR0_AM BIT_ULL(18)
#define CR0_NW BIT_ULL(29)
#define CR0_CD BIT_ULL(30)
#define CR0_PG BIT_ULL(31)

#define CR4_VME BIT_ULL(0)
#define CR4_PVI BIT_ULL(1)
#define CR4_TSD BIT_ULL(2)
#define CR4_DE BIT_ULL(3)
#define CR4_PSE BIT_ULL(4)
#define CR4_PAE BIT_ULL(5)
#define CR4_MCE BIT_ULL(6)
#define CR4_PGE BIT_ULL(7)
#define CR4_PCE BIT_ULL(8)
#define CR4_OSFXSR BIT_ULL(9)
#define CR4_OSXMMEXCPT BIT_ULL(10)
#define CR4_UMIP BIT_ULL(11)
#define CR4_LA57 BIT_ULL(12)
#define CR4_VMXE BIT_ULL(13)
#define CR4_SMXE BIT_ULL(14)
#define CR4_FSGSBASE BIT_ULL(16)
#define CR4_PCIDE BIT_ULL(17)
#define CR4_OSXSAVE BIT_ULL(18)
#define CR4_SMEP BIT_ULL(20)
#define CR4_SMAP BIT_ULL(21)
#define CR4_PKE BIT_ULL(22)

#define APIC_BASE_BSP BIT_ULL(8)
#define APIC_BASE_X2APIC BIT_ULL(10)
#define APIC_BASE_ENABLE BIT_ULL(11)
#define APIC_BASE_DEFAULT 0xfee00000ull

#define EFER_SCE_BIT BIT_ULL(0)
#define EFER_LME_BIT BIT_ULL(8)
#define EFER_LMA_BIT BIT_ULL(10)
#define EFER_NXE_BIT BIT_ULL(11)

#define RFLAGS_CF BIT_ULL(0)
#define RFLAGS_FIXED1 BIT_ULL(1)
#define RFLAGS_TF BIT_ULL(8)
#define RFLAGS_IF BIT_ULL(9)
#define RFLAGS_DF BIT_ULL(10)
#define RFLAGS_RF BIT_ULL(16)
#define RFLAGS_VM BIT_ULL(17)
#define RFLAGS_AC BIT_ULL(18)

#define DR6_FIXED1 0xffff0ff0ull
#define DR6_WRITABLE 0xe00full
#define DR6_TRAPS 0xfull
#define DR6_BS BIT_ULL(14)
#define DR6_BD BIT_ULL(13)
#define DR7_FIXED1 0x400ull
#define DR7_WRITABLE 0xffff2bffull
#define DR7_ENABLE_BITS 0xffull
#define DR7_GD BIT_ULL(13)

#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_UD 6
#define VECTOR_NM 7
#define VECTOR_DF 8
#define VECTOR_TS 10
#define VECTOR_NP 11
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_AC 17
#define VECTOR_MC 18

#define PF_PRESENT BIT(0)
#define PF_WRITE BIT(1)
#define PF_USER BIT(2)
#define PF_RESERVED BIT(3)
#define PF_FETCH BIT(4)

#define XCR0_X87 BIT_ULL(0)
#define XCR0_SSE BIT_ULL(1)
#define XCR0_AVX BIT_ULL(2)
#define XCR0_AVX512 (7ull << 5)
/*
 * What a guest may have of the extended state. Not PKRU, which nobody switches at VM exit, so that a guest's would become the host's; and not
 * AMX, which the kernel's guest-FPU container has no room for unless it is asked.
 */
#define XCR0_SUPPORTED (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512)

enum lkx_gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
/* In the order of VMCS fields and of ModRM's Sreg encoding. */
enum lkx_seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR };

#define LKX_PAGE_SHIFT 12
#define LKX_PAGE_BYTES 4096ull
#define LKX_PAGE_OFFSET(a) ((a) & (LKX_PAGE_BYTES - 1))
#define LKX_INVALID_ADDRESS (~0ull)

/* `va` is canonical for 48-bit linear addresses. */
static inline bool lkx_is_canonical(u64 va)
{
	return (u64)((s64)(va << 16) >> 16) == va;
}

#endif
