// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "msr.h"
#include "cpuid.h"
#include "cr.h"
#include "exits.h"
#include "lapic.h"
#include "mce.h"
#include "msr_filter.h"
#include "mtrr.h"
#include "pv.h"

#define DEBUGCTL_LBR BIT_ULL(0)
#define DEBUGCTL_BTF BIT_ULL(1)
#define FEATURE_CONTROL_LOCK BIT_ULL(0)

static bool apic_base_valid(struct lkx_vcpu *v, u64 value)
{
	u64 reserved = 0x2ff | ~((1ull << lkx_cpuid_physical_bits(v)) - 1);

	/* A local APIC in user space has it only where user space says so: its registers are MSRs. */
	if (!lkx_cpuid_has(v, 1, LEAF_ECX, 21) || (v->cpuid_default && !v->lapic))
		reserved |= APIC_BASE_X2APIC;
	return !(value & reserved) && (value & (APIC_BASE_X2APIC | APIC_BASE_ENABLE)) != APIC_BASE_X2APIC;
}

static bool has_tsc_aux(struct lkx_vcpu *v)
{
	return v->vm->caps->rdtscp &&
	       (lkx_cpuid_has(v, 0x80000001, LEAF_EDX, 27) || lkx_cpuid_has(v, 7, LEAF_ECX, 22));
}

/* MSRs whose value the processor holds while the vCPU is loaded, except KERNEL_GS_BASE, only change through here. */
static bool set_cpu_msr(struct lkx_vcpu *v, u64 *field, u64 value)
{
	*field = value;
	v->cpu_msrs_changed = true;
	return false;
}

static bool is_x2apic(struct lkx_vcpu *v, u32 index)
{
	return v->lapic && index >= LAPIC_MSR_FIRST && index <= LAPIC_MSR_LAST && lkx_lapic_x2apic(v);
}

/* One of an array of MSRs: NULL where it is none. */
static u64 *ranged(struct lkx_vcpu *v, u32 index)
{
	u64 *word = lkx_mtrr(v, index);

	return word ? word : lkx_mce_bank(v, index);
}

bool lkx_msr_get(struct lkx_vcpu *v, u32 index, u64 *value, bool by_guest)
{
	struct lkx_hw *hw = v->hw;
	u64 *word;

	switch (index) {
	case MSR_INDEX_IA32_TSC:
		*value = lkx_tsc_read(v);
		return false;
	case MSR_INDEX_IA32_PLATFORM_ID:
		*value = 0;
		return false;
	case MSR_INDEX_IA32_FEATURE_CONTROL:
		*value = v->feature_control;
		return false;
	case MSR_INDEX_IA32_APIC_BASE:
		*value = v->apic_base;
		return false;
	case MSR_INDEX_IA32_TSC_ADJUST:
		*value = v->tsc_adjust;
		return false;
	case MSR_INDEX_IA32_BIOS_SIGN_ID:
		*value = v->bios_sign_id;
		return false;
	case MSR_INDEX_IA32_MTRRCAP:
		*value = LKX_MTRR_CAP;
		return false;
	case MSR_INDEX_IA32_SYSENTER_CS:
		*value = vmcs_read32(hw, GUEST_SYSENTER_CS);
		return false;
	case MSR_INDEX_IA32_SYSENTER_ESP:
		*value = vmcs_readn(hw, GUEST_SYSENTER_ESP);
		return false;
	case MSR_INDEX_IA32_SYSENTER_EIP:
		*value = vmcs_readn(hw, GUEST_SYSENTER_EIP);
		return false;
	case MSR_INDEX_IA32_MCG_CAP:
		*value = v->mcg_cap;
		return false;
	case MSR_INDEX_IA32_MCG_STATUS:
		*value = v->mcg_status;
		return false;
	case MSR_INDEX_IA32_MCG_CTL:
		*value = v->mcg_ctl;
		return by_guest && !(v->mcg_cap & MCG_CTL_P);
	case MSR_INDEX_IA32_PERF_STATUS: /* a ratio that old guests divide by */
		*value = 1000ull | 4ull << 40;
		return false;
	case MSR_INDEX_IA32_MISC_ENABLE:
		*value = v->misc_enable;
		return false;
	case MSR_INDEX_IA32_DEBUGCTL:
		*value = vmcs_read64(hw, GUEST_IA32_DEBUGCTL);
		return false;
	case MSR_INDEX_IA32_PAT:
		*value = vmcs_read64(hw, GUEST_IA32_PAT);
		return false;
	case MSR_INDEX_IA32_MTRR_DEF_TYPE:
		*value = v->mtrr_def_type;
		return false;
	case MSR_INDEX_IA32_EFER:
		*value = v->efer;
		return false;
	case MSR_INDEX_IA32_STAR:
		*value = v->star;
		return false;
	case MSR_INDEX_IA32_LSTAR:
		*value = v->lstar;
		return false;
	case MSR_INDEX_IA32_CSTAR:
		*value = v->cstar;
		return false;
	case MSR_INDEX_IA32_FMASK:
		*value = v->fmask;
		return false;
	case MSR_INDEX_IA32_FS_BASE:
		*value = vmcs_readn(hw, GUEST_FS_BASE);
		return false;
	case MSR_INDEX_IA32_GS_BASE:
		*value = vmcs_readn(hw, GUEST_GS_BASE);
		return false;
	case MSR_INDEX_IA32_KERNEL_GS_BASE: /* a guest reads the processor's: no exit */
		*value = v->kernel_gs_base;
		return false;
	case MSR_INDEX_IA32_TSC_AUX:
		if (by_guest && !has_tsc_aux(v))
			return true;
		*value = v->tsc_aux;
		return false;
	case MSR_INDEX_IA32_TSC_DEADLINE:
		*value = lkx_lapic_deadline(v);
		return by_guest && !v->lapic;
	}
	if (is_x2apic(v, index))
		return lkx_lapic_read(v, index - LAPIC_MSR_FIRST, value, true);
	word = ranged(v, index);
	if (!word)
		return lkx_pv_msr_get(v, index, value);
	*value = *word;
	return false;
}

bool lkx_msr_set(struct lkx_vcpu *v, u32 index, u64 value, bool by_guest)
{
	struct lkx_hw *hw = v->hw;
	u64 old;

	switch (index) {
	case MSR_INDEX_IA32_TSC:
		if (!by_guest) {
			lkx_tsc_write_vmm(v, value);
			return false;
		}
		/* SDM vol. 3, 18.17.3: the difference shows in TSC_ADJUST */
		v->tsc_adjust += value - lkx_tsc_read(v);
		lkx_tsc_write(v, value);
		return false;
	case MSR_INDEX_IA32_APIC_BASE:
		if (!apic_base_valid(v, value))
			return true;
		/* A guest leaves x2APIC mode only by disabling, and enters it only from xAPIC mode. */
		if (by_guest && (v->apic_base & APIC_BASE_X2APIC) && (value & APIC_BASE_ENABLE) &&
		    !(value & APIC_BASE_X2APIC))
			return true;
		if (by_guest && !(v->apic_base & APIC_BASE_ENABLE) && (value & APIC_BASE_X2APIC))
			return true;
		old = v->apic_base;
		v->apic_base = value;
		if (v->lapic)
			lkx_lapic_base_changed(v, old);
		return false;
	case MSR_INDEX_IA32_FEATURE_CONTROL: /* neither VMX nor SGX to enable, but to lock: firmware's, and kernels' that find it open */
		if ((value & ~FEATURE_CONTROL_LOCK) || (by_guest && v->feature_control))
			return true;
		v->feature_control = value;
		return false;
	case MSR_INDEX_IA32_TSC_ADJUST:
		if (by_guest)
			lkx_tsc_write(v, lkx_tsc_read(v) + value - v->tsc_adjust);
		v->tsc_adjust = value;
		return false;
	case MSR_INDEX_IA32_BIOS_SIGN_ID: /* a guest's write asks for the revision, which is there already */
		if (!by_guest)
			v->bios_sign_id = value;
		return false;
	case MSR_INDEX_IA32_SYSENTER_CS:
		vmcs_write32(hw, GUEST_SYSENTER_CS, (u32)value);
		return false;
	case MSR_INDEX_IA32_SYSENTER_ESP:
	case MSR_INDEX_IA32_SYSENTER_EIP:
		if (!lkx_is_canonical(value))
			return true;
		if (index == MSR_INDEX_IA32_SYSENTER_ESP)
			vmcs_writen(hw, GUEST_SYSENTER_ESP, value);
		else
			vmcs_writen(hw, GUEST_SYSENTER_EIP, value);
		return false;
	case MSR_INDEX_IA32_MCG_STATUS:
		v->mcg_status = value;
		return false;
	case MSR_INDEX_IA32_MCG_CTL: /* all errors or none */
		if ((value && ~value) || (!(v->mcg_cap & MCG_CTL_P) && (value || by_guest)))
			return true;
		v->mcg_ctl = value;
		return false;
	case MSR_INDEX_IA32_MISC_ENABLE:
		v->misc_enable = value;
		return false;
	case MSR_INDEX_IA32_DEBUGCTL:
		/* Branch recording and stepping are not virtualized: taken, without effect, as guests that try them expect. */
		return value & ~(DEBUGCTL_LBR | DEBUGCTL_BTF);
	case MSR_INDEX_IA32_PAT:
		if (!lkx_pat_valid(value))
			return true;
		vmcs_write64(hw, GUEST_IA32_PAT, value);
		return false;
	case MSR_INDEX_IA32_MTRR_DEF_TYPE:
		if (!lkx_mtrr_def_type_valid(value))
			return true;
		v->mtrr_def_type = value;
		return false;
	case MSR_INDEX_IA32_EFER:
		return lkx_efer_set(v, value, by_guest);
	case MSR_INDEX_IA32_STAR:
		return set_cpu_msr(v, &v->star, value);
	case MSR_INDEX_IA32_LSTAR:
		return !lkx_is_canonical(value) || set_cpu_msr(v, &v->lstar, value);
	case MSR_INDEX_IA32_CSTAR:
		return !lkx_is_canonical(value) || set_cpu_msr(v, &v->cstar, value);
	case MSR_INDEX_IA32_FMASK:
		return (value >> 32) || set_cpu_msr(v, &v->fmask, value);
	case MSR_INDEX_IA32_FS_BASE:
	case MSR_INDEX_IA32_GS_BASE:
		if (!lkx_is_canonical(value))
			return true;
		if (index == MSR_INDEX_IA32_FS_BASE)
			vmcs_writen(hw, GUEST_FS_BASE, value);
		else
			vmcs_writen(hw, GUEST_GS_BASE, value);
		return false;
	case MSR_INDEX_IA32_KERNEL_GS_BASE:
		return !lkx_is_canonical(value) || set_cpu_msr(v, &v->kernel_gs_base, value);
	case MSR_INDEX_IA32_TSC_AUX:
		if ((by_guest && !has_tsc_aux(v)) || (value >> 32))
			return true;
		return set_cpu_msr(v, &v->tsc_aux, value);
	case MSR_INDEX_IA32_TSC_DEADLINE:
		lkx_lapic_set_deadline(v, value);
		return by_guest && !v->lapic;
	}
	/* or not there, or read-only */
	if (is_x2apic(v, index))
		return lkx_lapic_write(v, index - LAPIC_MSR_FIRST, value, true);
	return lkx_mtrr_set(v, index, value) && lkx_mce_bank_set(v, index, value, by_guest) && lkx_pv_msr_set(v, index, value);
}

enum { SAVED, HIDDEN };
static const struct {
	u32 index;
	u8 list;
} msrs[] = {
#define LKX_MSR(name, index, keep, list) { index, list },
#include "tables/msrs.def"
#undef LKX_MSR
};

u32 lkx_msr_list(struct lkx_hw *hw, const struct lkx_vmx_caps *caps, u32 *index, u32 max)
{
	u32 count = 0, i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (msrs[i].list != SAVED)
			continue;
		if (msrs[i].index == MSR_INDEX_IA32_TSC_AUX && !caps->rdtscp)
			continue;
		if (msrs[i].index == MSR_INDEX_KVM_STEAL_TIME && !plat_knows_run_delay(hw))
			continue;
		if (count < max)
			index[count] = msrs[i].index;
		count++;
	}
	return count;
}

/* What a guest finds that a VMM may want to know before there is a vCPU: the microcode's revision. */
u32 lkx_msr_feature_list(u32 *index, u32 max)
{
	if (max)
		index[0] = MSR_INDEX_IA32_BIOS_SIGN_ID;
	return 1;
}

bool lkx_msr_feature(u32 index, u64 *value)
{
	*value = BIOS_SIGN_ID_RESET;
	return index != MSR_INDEX_IA32_BIOS_SIGN_ID;
}

/* Four bitmaps of 1 KiB: reads of low and high MSRs, writes of low and high MSRs; a clear bit does not exit. */
static void pass_through(u8 *page, const struct lkx_msr_filter *filter, u32 index, u32 access)
{
	u32 offset = (access == KVM_MSR_FILTER_WRITE ? 2048 : 0) + (index >= 0xc0000000 ? 1024 : 0), bit = index & 0x1fff;

	if (lkx_msr_filter_allows(filter, index, access))
		page[offset + bit / 8] &= ~(1u << (bit % 8));
}

void lkx_msr_bitmap_init(u8 *page, const struct lkx_msr_filter *filter)
{
	/* Fields of the VMCS, and KERNEL_GS_BASE which SWAPGS changes without an exit anyway. */
	static const u32 direct[] = {
		MSR_INDEX_IA32_FS_BASE,	     MSR_INDEX_IA32_GS_BASE,      MSR_INDEX_IA32_KERNEL_GS_BASE,
		MSR_INDEX_IA32_SYSENTER_CS,  MSR_INDEX_IA32_SYSENTER_ESP, MSR_INDEX_IA32_SYSENTER_EIP,
	};
	unsigned int i;

	memset(page, 0xff, LKX_PAGE_BYTES);
	for (i = 0; i < ARRAY_SIZE(direct); i++) {
		pass_through(page, filter, direct[i], KVM_MSR_FILTER_READ);
		pass_through(page, filter, direct[i], KVM_MSR_FILTER_WRITE);
	}
	/* Offset and scaled by the processor, as RDTSC. */
	pass_through(page, filter, MSR_INDEX_IA32_TSC, KVM_MSR_FILTER_READ);
}

/* A guest's access that did not succeed: #GP, or user space's to answer where it asked for those. */
static noinline int refuse(struct lkx_vcpu *v, u32 reason, u64 data)
{
	struct kvm_run *run = v->run;
	u32 index = v->regs.gpr[RCX], i;

	if (reason == KVM_MSR_EXIT_REASON_UNKNOWN && ranged(v, index))
		reason = KVM_MSR_EXIT_REASON_INVAL;
	for (i = 0; reason == KVM_MSR_EXIT_REASON_UNKNOWN && i < ARRAY_SIZE(msrs); i++)
		if (msrs[i].index == index)
			reason = KVM_MSR_EXIT_REASON_INVAL;
	plat_debug(v->hw, "likex: MSR %#x %#llx, exit %u: refused, reason %u\n", index, (unsigned long long)data, v->exit.reason,
		   reason);
	if (!(plat_read_once(v->vm->user_space_msr) & reason)) {
		lkx_inject_gp(v);
		return 1;
	}
	run->exit_reason = v->exit.reason == EXIT_MSR_READ ? KVM_EXIT_X86_RDMSR : KVM_EXIT_X86_WRMSR;
	run->msr.error = 0;
	memset(run->msr.pad, 0, sizeof(run->msr.pad));
	run->msr.reason = reason;
	run->msr.index = index;
	run->msr.data = data;
	v->completion = LKX_COMPLETE_MSR;
	v->completion_rip = lkx_rip(v);
	return 0;
}

int lkx_msr_complete(struct lkx_vcpu *v)
{
	struct kvm_run *run = v->run;

	if (lkx_rip(v) != v->completion_rip)
		return 1;
	if (plat_read_once(run->msr.error)) {
		lkx_inject_gp(v);
		return 1;
	}
	if (v->exit.reason == EXIT_MSR_READ) {
		u64 data = plat_read_once(run->msr.data);

		v->regs.gpr[RAX] = (u32)data;
		v->regs.gpr[RDX] = data >> 32;
	}
	lkx_skip_instruction(v);
	return 1;
}

/*
 * An access of a vCPU whose VM has a filter, or had one when the guest was entered. The handler's result, or -1: the access goes on.
 * KERNEL_GS_BASE is the processor's while the guest runs. It exits only when it is denied: where it no longer is, the guest tries again, and
 * finds the table of the new filter.
 */
static noinline int filtered(struct lkx_vcpu *v, u32 access, u64 data)
{
	u32 index = v->regs.gpr[RCX];
	bool allowed;

	plat_rcu_lock(v->hw);
	allowed = lkx_msr_filter_allows(plat_rcu_load(v->hw, v->vm->msr_filter), index, access);
	plat_rcu_unlock(v->hw);
	if (!allowed)
		return refuse(v, KVM_MSR_EXIT_REASON_FILTER, data);
	return index == MSR_INDEX_IA32_KERNEL_GS_BASE ? 1 : -1;
}

int lkx_exit_rdmsr(struct lkx_vcpu *v)
{
	u64 value;

	if (unlikely(v->msr_filtered)) {
		int r = filtered(v, KVM_MSR_FILTER_READ, 0);

		if (r >= 0)
			return r;
	}
	if (lkx_msr_get(v, (u32)v->regs.gpr[RCX], &value, true))
		return refuse(v, KVM_MSR_EXIT_REASON_UNKNOWN, 0);
	v->regs.gpr[RAX] = (u32)value;
	v->regs.gpr[RDX] = value >> 32;
	lkx_skip_instruction(v);
	return 1;
}

int lkx_exit_wrmsr(struct lkx_vcpu *v)
{
	u64 value = v->regs.gpr[RDX] << 32 | (u32)v->regs.gpr[RAX];

	if (unlikely(v->msr_filtered)) {
		int r = filtered(v, KVM_MSR_FILTER_WRITE, value);

		if (r >= 0)
			return r;
	}
	if (lkx_msr_set(v, (u32)v->regs.gpr[RCX], value, true))
		return refuse(v, KVM_MSR_EXIT_REASON_UNKNOWN, value);
	lkx_skip_instruction(v);
	return 1;
}
