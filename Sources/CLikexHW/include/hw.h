/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * User space's meaning of kmod/hw/hw.h: the same instructions on a simulated processor, by way of a table
 * of functions in struct lkx_hw. One instruction, one function; kmod/hw/hw.h has the contracts.
 */
#ifndef LKX_HW_H
#define LKX_HW_H

#include "plat.h"

struct lkx_regs;

struct hw_host_state {
	u64 cr0, cr3, cr4;
	u64 fs_base, gs_base, tr_base, gdtr_base, idtr_base;
	u64 sysenter_esp, sysenter_eip, rip;
	u64 pat, efer;
	u32 sysenter_cs;
	u16 es, cs, ss, ds, fs, gs, tr;
};

/* A bool that a VMX instruction returns is true where it failed. */
struct hw_ops {
	bool (*vmxon)(struct lkx_hw *hw, u64 pa);
	bool (*vmxoff)(struct lkx_hw *hw);
	bool (*vmclear)(struct lkx_hw *hw, u64 pa);
	bool (*vmptrld)(struct lkx_hw *hw, u64 pa);
	u64 (*vmread)(struct lkx_hw *hw, u32 field);
	void (*vmwrite)(struct lkx_hw *hw, u32 field, u64 value);
	void (*invept)(struct lkx_hw *hw, u64 type, u64 eptp);
	void (*invvpid)(struct lkx_hw *hw, u64 type, u16 vpid, u64 gla);
	bool (*enter_guest)(struct lkx_hw *hw, struct lkx_regs *regs, bool launched);
	u64 (*rdmsr)(struct lkx_hw *hw, u32 msr);
	void (*wrmsr)(struct lkx_hw *hw, u32 msr, u64 value);
	u64 (*rdtsc)(struct lkx_hw *hw);
	void (*cpuid)(struct lkx_hw *hw, u32 leaf, u32 sub, u32 out[4]);
	u64 (*read_cr)(struct lkx_hw *hw, unsigned int cr);
	void (*write_cr2)(struct lkx_hw *hw, u64 value);
	u64 (*xgetbv)(struct lkx_hw *hw);
	void (*xsetbv)(struct lkx_hw *hw, u64 value);
	void (*load_debug_registers)(struct lkx_hw *hw, const u64 dr[4], u64 dr6);
	u64 (*save_dr6)(struct lkx_hw *hw);
	void (*restore_host_debug_registers)(struct lkx_hw *hw);
	void (*read_host_state)(struct lkx_hw *hw, struct hw_host_state *h);
};

static inline bool hw_vmxon(struct lkx_hw *hw, u64 pa)
{
	return hw->processor->vmxon(hw, pa);
}

static inline bool hw_vmxoff(struct lkx_hw *hw)
{
	return hw->processor->vmxoff(hw);
}

static inline bool hw_vmclear(struct lkx_hw *hw, u64 pa)
{
	return hw->processor->vmclear(hw, pa);
}

static inline bool hw_vmptrld(struct lkx_hw *hw, u64 pa)
{
	return hw->processor->vmptrld(hw, pa);
}

static inline u64 hw_vmread(struct lkx_hw *hw, u32 field)
{
	return hw->processor->vmread(hw, field);
}

static inline void hw_vmwrite(struct lkx_hw *hw, u32 field, u64 value)
{
	hw->processor->vmwrite(hw, field, value);
}

static inline void hw_invept(struct lkx_hw *hw, u64 type, u64 eptp)
{
	hw->processor->invept(hw, type, eptp);
}

static inline void hw_invvpid(struct lkx_hw *hw, u64 type, u16 vpid, u64 gla)
{
	hw->processor->invvpid(hw, type, vpid, gla);
}

static inline bool hw_enter_guest(struct lkx_hw *hw, struct lkx_regs *regs, bool launched)
{
	return hw->processor->enter_guest(hw, regs, launched);
}

static inline u64 hw_rdmsr(struct lkx_hw *hw, u32 msr)
{
	return hw->processor->rdmsr(hw, msr);
}

static inline void hw_wrmsr(struct lkx_hw *hw, u32 msr, u64 value)
{
	hw->processor->wrmsr(hw, msr, value);
}

static inline u64 hw_rdtsc(struct lkx_hw *hw)
{
	return hw->processor->rdtsc(hw);
}

static inline void hw_cpuid(struct lkx_hw *hw, u32 leaf, u32 sub, u32 out[4])
{
	hw->processor->cpuid(hw, leaf, sub, out);
}

static inline u64 hw_read_cr0(struct lkx_hw *hw)
{
	return hw->processor->read_cr(hw, 0);
}

static inline u64 hw_read_cr2(struct lkx_hw *hw)
{
	return hw->processor->read_cr(hw, 2);
}

static inline void hw_write_cr2(struct lkx_hw *hw, u64 value)
{
	hw->processor->write_cr2(hw, value);
}

static inline u64 hw_read_cr3(struct lkx_hw *hw)
{
	return hw->processor->read_cr(hw, 3);
}

static inline u64 hw_read_cr4(struct lkx_hw *hw)
{
	return hw->processor->read_cr(hw, 4);
}

static inline u64 hw_xgetbv(struct lkx_hw *hw)
{
	return hw->processor->xgetbv(hw);
}

static inline void hw_xsetbv(struct lkx_hw *hw, u64 value)
{
	hw->processor->xsetbv(hw, value);
}

static inline void hw_load_debug_registers(struct lkx_hw *hw, const u64 dr[4], u64 dr6)
{
	hw->processor->load_debug_registers(hw, dr, dr6);
}

static inline u64 hw_save_dr6(struct lkx_hw *hw)
{
	return hw->processor->save_dr6(hw);
}

static inline void hw_restore_host_debug_registers(struct lkx_hw *hw)
{
	hw->processor->restore_host_debug_registers(hw);
}

static inline void hw_read_host_state(struct lkx_hw *hw, struct hw_host_state *h)
{
	hw->processor->read_host_state(hw, h);
}

#endif
