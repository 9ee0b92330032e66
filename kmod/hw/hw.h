/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VMX, MSR and control-register instructions as the kernel runs them. Sources/CLikexHW/include/hw.h has the
 * same names for a simulated processor. The struct lkx_hw * that comes first is which processor; here there
 * is only the one we run on, so it is never looked at and vanishes.
 *
 * Every VMX instruction has a fixup: on a CPU that is not in VMX operation (it is being unplugged, the
 * machine is crashing) it fails instead of raising an oops. SDM vol. 3, "VMX Instruction Reference".
 */
#ifndef LKX_HW_H
#define LKX_HW_H

#include "plat.h"
#include <linux/jump_label.h>
#include <asm/asm.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

struct lkx_hw {
	char unused; /* sparse dislikes empty structs; never allocated */
};

/* --- VMX instructions: true means the instruction failed --- */

#define HW_VMX_OP(name, insn)                                                           \
	static inline bool name(struct lkx_hw *hw, u64 pa)                              \
	{                                                                               \
		bool failed = true;                                                     \
		asm volatile("1: " insn " %[pa]\n\tsetna %[failed]\n2:\n"               \
			     _ASM_EXTABLE(1b, 2b)                                       \
			     : [failed] "+qm"(failed) : [pa] "m"(pa) : "cc", "memory"); \
		return failed;                                                          \
	}
HW_VMX_OP(hw_vmxon, "vmxon")
HW_VMX_OP(hw_vmclear, "vmclear")
HW_VMX_OP(hw_vmptrld, "vmptrld")
#undef HW_VMX_OP

static inline bool hw_vmxoff(struct lkx_hw *hw)
{
	bool failed = true;

	asm volatile("1: vmxoff\n\tsetna %[failed]\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : [failed] "+qm"(failed) : : "cc", "memory");
	return failed;
}

/* linux/vmx_failed.c */
void lkx_vmwrite_failed(u32 field, u64 value);
void lkx_invalidation_failed(const char *instruction, u64 type, u64 what);

u64 lkx_vmread(u32 field);
void lkx_vmwrite(u32 field, u64 value);

#ifdef LKX_SMALL
/* Files that are made small (Kbuild) share one of each. */
static __always_inline u64 hw_vmread(struct lkx_hw *hw, u32 field)
{
	return lkx_vmread(field);
}

static __always_inline void hw_vmwrite(struct lkx_hw *hw, u32 field, u64 value)
{
	lkx_vmwrite(field, value);
}
#else
/* 0 where the field cannot be read. */
static inline u64 hw_vmread(struct lkx_hw *hw, u32 field)
{
	u64 value = 0;

	asm volatile("1: vmread %[field], %[value]\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : [value] "+r"(value) : [field] "r"((u64)field) : "cc");
	return value;
}

static inline void hw_vmwrite(struct lkx_hw *hw, u32 field, u64 value)
{
	asm goto("1: vmwrite %[value], %[field]\n\tjna %l[failed]\n2:\n" _ASM_EXTABLE(1b, 2b)
		 : : [value] "r"(value), [field] "r"((u64)field) : "cc" : failed);
	return;
failed:
	lkx_vmwrite_failed(field, value);
}
#endif

struct hw_inv_descriptor {
	u64 first;  /* EPTP, or VPID */
	u64 second; /* 0, or linear address */
};

static inline void hw_invept(struct lkx_hw *hw, u64 type, u64 eptp)
{
	struct hw_inv_descriptor d = { eptp, 0 };
	bool failed = false;

	asm volatile("1: invept %[d], %[type]\n\tsetna %[failed]\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : [failed] "+qm"(failed) : [d] "m"(d), [type] "r"(type) : "cc", "memory");
	if (unlikely(failed))
		lkx_invalidation_failed("INVEPT", type, eptp);
}

static inline void hw_invvpid(struct lkx_hw *hw, u64 type, u16 vpid, u64 gla)
{
	struct hw_inv_descriptor d = { vpid, gla };
	bool failed = false;

	asm volatile("1: invvpid %[d], %[type]\n\tsetna %[failed]\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : [failed] "+qm"(failed) : [d] "m"(d), [type] "r"(type) : "cc", "memory");
	if (unlikely(failed))
		lkx_invalidation_failed("INVVPID", type, vpid);
}

struct lkx_regs;
/* vmenter.S: runs the guest of the current VMCS until it exits. True: VM entry failed before it began (VMfail). */
bool lkx_vmenter(struct lkx_regs *regs, bool launched);
/* The same with what some hosts ask for around it, whose key is on (linux/vcpu_run.c). */
bool lkx_enter_guest_guarded(struct lkx_regs *regs, bool launched);
DECLARE_STATIC_KEY_FALSE(lkx_entry_guarded);

static inline bool hw_enter_guest(struct lkx_hw *hw, struct lkx_regs *regs, bool launched)
{
	if (static_branch_unlikely(&lkx_entry_guarded))
		return lkx_enter_guest_guarded(regs, launched);
	return lkx_vmenter(regs, launched);
}

/* --- MSRs, control and debug registers --- */

static inline u64 hw_rdmsr(struct lkx_hw *hw, u32 msr)
{
	u64 value = 0;

	rdmsrl_safe(msr, &value);
	return value;
}

static inline void hw_wrmsr(struct lkx_hw *hw, u32 msr, u64 value)
{
	wrmsrl(msr, value);
}

static inline u64 hw_rdtsc(struct lkx_hw *hw)
{
	return rdtsc_ordered();
}

static inline void hw_cpuid(struct lkx_hw *hw, u32 leaf, u32 sub, u32 out[4])
{
	cpuid_count(leaf, sub, &out[0], &out[1], &out[2], &out[3]);
}

static inline u64 hw_read_cr0(struct lkx_hw *hw)
{
	return read_cr0();
}

static inline u64 hw_read_cr2(struct lkx_hw *hw)
{
	return native_read_cr2();
}

static inline void hw_write_cr2(struct lkx_hw *hw, u64 value)
{
	native_write_cr2(value);
}

static inline u64 hw_read_cr3(struct lkx_hw *hw)
{
	return __read_cr3();
}

static inline u64 hw_read_cr4(struct lkx_hw *hw)
{
	return __read_cr4();
}

static inline u64 hw_xgetbv(struct lkx_hw *hw)
{
	return xgetbv(0);
}

static inline void hw_xsetbv(struct lkx_hw *hw, u64 value)
{
	xsetbv(0, value);
}

/* DR0-DR3 and DR6 go to the processor and back only around a guest that has breakpoints armed. */
void hw_load_debug_registers(struct lkx_hw *hw, const u64 dr[4], u64 dr6);
u64 hw_save_dr6(struct lkx_hw *hw);
void hw_restore_host_debug_registers(struct lkx_hw *hw);

#endif
