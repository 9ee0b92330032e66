// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmx_caps.h"
#include "x86.h"

/* Capability MSRs. SDM vol. 3, appendix A. */
#define MSR_VMX_BASIC 0x480
#define MSR_VMX_MISC 0x485
#define MSR_VMX_CR0_FIXED0 0x486
#define MSR_VMX_CR0_FIXED1 0x487
#define MSR_VMX_CR4_FIXED0 0x488
#define MSR_VMX_CR4_FIXED1 0x489
#define MSR_VMX_PROC2_CONTROLS 0x48b
#define MSR_VMX_EPT_VPID 0x48c

#define VMX_BASIC_INS_OUTS BIT_ULL(54)
#define VMX_BASIC_TRUE_CONTROLS BIT_ULL(55)

#define EPT_CAP_WALK_4 BIT_ULL(6)
#define EPT_CAP_WB BIT_ULL(14)
#define EPT_CAP_2M BIT_ULL(16)
#define EPT_CAP_1G BIT_ULL(17)
#define EPT_CAP_INVEPT BIT_ULL(20)
#define EPT_CAP_AD BIT_ULL(21)
#define EPT_CAP_INVEPT_SINGLE BIT_ULL(25)
#define EPT_CAP_INVEPT_ALL BIT_ULL(26)
#define VPID_CAP_INVVPID BIT_ULL(32)
#define VPID_CAP_ADDRESS BIT_ULL(40)
#define VPID_CAP_SINGLE BIT_ULL(41)

#define CPUID_EXTENDED 0x80000000u
#define CPUID_1GB_PAGES BIT(26)

struct wanted {
	u32 bit;
	const char *name;
};

#define WANT(group, control, text) { CTRL(group, control), text }

static const struct wanted pin_required[] = {
	WANT(PIN, EXTERNAL_INTERRUPT_EXITING, "external-interrupt exiting"),
	WANT(PIN, NMI_EXITING, "NMI exiting"),
	WANT(PIN, VIRTUAL_NMIS, "virtual NMIs"),
	{}
};

static const struct wanted proc_required[] = {
	WANT(PROC, SECONDARY_CONTROLS, "secondary processor-based controls"),
	WANT(PROC, USE_TSC_OFFSETTING, "TSC offsetting"),
	WANT(PROC, HLT_EXITING, "HLT exiting"),
	WANT(PROC, MWAIT_EXITING, "MWAIT exiting"),
	WANT(PROC, MONITOR_EXITING, "MONITOR exiting"),
	WANT(PROC, RDPMC_EXITING, "RDPMC exiting"),
	WANT(PROC, CR8_LOAD_EXITING, "CR8-load exiting"),
	WANT(PROC, CR8_STORE_EXITING, "CR8-store exiting"),
	WANT(PROC, MOV_DR_EXITING, "MOV-DR exiting"),
	WANT(PROC, UNCONDITIONAL_IO_EXITING, "unconditional I/O exiting"),
	WANT(PROC, USE_MSR_BITMAPS, "MSR bitmaps"),
	{}
};

static const struct wanted proc2_required[] = {
	WANT(PROC2, ENABLE_EPT, "EPT"),
	WANT(PROC2, UNRESTRICTED_GUEST, "unrestricted guest"),
	{}
};

/*
 * SGX's instructions would simply run without their exits. Not enabled although offered: XSAVES (a guest's IA32_XSS would have to be switched), and whatever this
 * module has no use for; an exit or a feature that is not asked for cannot surprise.
 */
#define PROC2_OPTIONAL                                                                          \
	(CTRL(PROC2, ENABLE_RDTSCP) | CTRL(PROC2, ENABLE_INVPCID) | CTRL(PROC2, WBINVD_EXITING) | \
	 CTRL(PROC2, USE_TSC_SCALING) | CTRL(PROC2, ENCLS_EXITING) | CTRL(PROC2, ENCLV_EXITING))

static const struct wanted exit_required[] = {
	WANT(EXIT, HOST_ADDRESS_SPACE_SIZE, "64-bit host"),
	WANT(EXIT, SAVE_DEBUG_CONTROLS, "saving of debug controls"),
	WANT(EXIT, SAVE_PAT, "saving of IA32_PAT"),
	WANT(EXIT, LOAD_PAT, "loading of IA32_PAT on exit"),
	WANT(EXIT, SAVE_EFER, "saving of IA32_EFER"),
	WANT(EXIT, LOAD_EFER, "loading of IA32_EFER on exit"),
	{}
};

static const struct wanted entry_required[] = {
	WANT(ENTRY, LOAD_DEBUG_CONTROLS, "loading of debug controls"),
	WANT(ENTRY, LOAD_PAT, "loading of IA32_PAT on entry"),
	WANT(ENTRY, LOAD_EFER, "loading of IA32_EFER on entry"),
	{}
};

/*
 * A capability MSR says which controls may be 1 (high half) and which must be (low half). Takes all of `required`
 * and of `optional` what there is. False with *missing set when one of the first kind may not be 1.
 */
static bool choose(struct lkx_hw *hw, u32 msr, const struct wanted *required, u32 optional, u32 *controls,
		   const char **missing)
{
	u64 capability = hw_rdmsr(hw, msr);
	u32 must = (u32)capability, may = (u32)(capability >> 32);
	u32 value = must | (optional & may);

	for (; required->bit; required++) {
		if (!(may & required->bit)) {
			*missing = required->name;
			return false;
		}
		value |= required->bit;
	}
	*controls = value;
	return true;
}

static void read_address_widths(struct lkx_hw *hw, struct lkx_vmx_caps *caps)
{
	u32 r[4];

	caps->physical_bits = 36;
	hw_cpuid(hw, CPUID_EXTENDED, 0, r);
	if (r[0] < CPUID_EXTENDED + 8)
		return;
	hw_cpuid(hw, CPUID_EXTENDED + 1, 0, r);
	caps->pages_1gb = r[3] & CPUID_1GB_PAGES;
	hw_cpuid(hw, CPUID_EXTENDED + 8, 0, r);
	caps->physical_bits = min_t(u32, r[0] & 0xff, 52);
}

int lkx_vmx_caps_read(struct lkx_hw *hw, struct lkx_vmx_caps *caps, const char **missing)
{
	u64 basic = hw_rdmsr(hw, MSR_VMX_BASIC);
	u64 ept, misc;
	/* The TRUE MSRs sit 12 above the first four and also name the controls whose default is 1. */
	u32 base = basic & VMX_BASIC_TRUE_CONTROLS ? 0x48d : 0x481, pin_may, proc2_may;

	*caps = (struct lkx_vmx_caps){
		.revision = basic & 0x7fffffff,
		.vmcs_bytes = (basic >> 32) & 0x1fff,
		.ins_outs_info = basic & VMX_BASIC_INS_OUTS,
	};
	if (caps->vmcs_bytes > LKX_PAGE_BYTES || ((basic >> 50) & 15) != 6) {
		*missing = "a write-back VMCS of at most 4096 bytes";
		return -ENODEV;
	}
	if (!choose(hw, base, pin_required, 0, &caps->pin, missing) ||
	    !choose(hw, base + 1, proc_required, 0, &caps->proc, missing) ||
	    !choose(hw, MSR_VMX_PROC2_CONTROLS, proc2_required, PROC2_OPTIONAL, &caps->proc2, missing) ||
	    !choose(hw, base + 2, exit_required, 0, &caps->exit, missing) ||
	    !choose(hw, base + 3, entry_required, 0, &caps->entry, missing))
		return -ENODEV;

	ept = hw_rdmsr(hw, MSR_VMX_EPT_VPID);
	if (!(ept & EPT_CAP_WALK_4))
		*missing = "EPT with four levels";
	else if (!(ept & EPT_CAP_WB))
		*missing = "EPT with write-back tables";
	else if (!(ept & EPT_CAP_INVEPT) || !(ept & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)))
		*missing = "INVEPT";
	else
		*missing = NULL;
	if (*missing)
		return -ENODEV;
	caps->ept_ad = ept & EPT_CAP_AD;
	pin_may = hw_rdmsr(hw, base) >> 32;
	proc2_may = hw_rdmsr(hw, MSR_VMX_PROC2_CONTROLS) >> 32;
	caps->pml = caps->ept_ad && (proc2_may & CTRL(PROC2, ENABLE_PML));
	caps->ept_level = !(ept & EPT_CAP_2M) ? 1 : !(ept & EPT_CAP_1G) ? 2 : 3;
	caps->invept_single = ept & EPT_CAP_INVEPT_SINGLE;
	caps->invvpid_address = ept & VPID_CAP_ADDRESS;
	caps->vpid = (ept & VPID_CAP_INVVPID) && (ept & VPID_CAP_SINGLE) && (proc2_may & CTRL(PROC2, ENABLE_VPID));
	caps->virtual_interrupts = (hw_rdmsr(hw, base + 1) >> 32 & CTRL(PROC, TPR_SHADOW)) &&
				   !(~proc2_may & (LKX_X2APIC_VIRTUALIZATION | LKX_XAPIC_VIRTUALIZATION));
	caps->acknowledge_interrupts = (hw_rdmsr(hw, base + 2) >> 32) & CTRL(EXIT, ACKNOWLEDGE_INTERRUPT);
	caps->posted_interrupts = caps->virtual_interrupts && caps->acknowledge_interrupts &&
				  (pin_may & CTRL(PIN, POSTED_INTERRUPTS));
	caps->tsc_scaling = caps->proc2 & CTRL(PROC2, USE_TSC_SCALING);
	caps->rdtscp = caps->proc2 & CTRL(PROC2, ENABLE_RDTSCP);
	caps->invpcid = caps->proc2 & CTRL(PROC2, ENABLE_INVPCID);

	misc = hw_rdmsr(hw, MSR_VMX_MISC);
	caps->preemption_timer_shift = misc & 31;
	caps->preemption_timer = pin_may & CTRL(PIN, PREEMPTION_TIMER);
	/* On processors older than those with APIC-register virtualization it may count too slowly (errata of 2008 to 2012). */
	caps->apic_timer = caps->preemption_timer && caps->virtual_interrupts;

	/* Unrestricted guests are free in PE and PG; NE is what remains. */
	caps->cr0_must = hw_rdmsr(hw, MSR_VMX_CR0_FIXED0) & ~(CR0_PE | CR0_PG);
	caps->cr0_fixed1 = hw_rdmsr(hw, MSR_VMX_CR0_FIXED1);
	caps->cr4_fixed0 = hw_rdmsr(hw, MSR_VMX_CR4_FIXED0);
	caps->cr4_fixed1 = hw_rdmsr(hw, MSR_VMX_CR4_FIXED1);
	read_address_widths(hw, caps);
	return 0;
}
