/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What this processor's VMX offers, read once from its capability MSRs. SDM vol. 3, appendix A. */
#ifndef LKX_VMX_CAPS_H
#define LKX_VMX_CAPS_H

#include "vmcs.h"

/* What has the processor do a local APIC's work, besides the TPR shadow: in x2APIC mode, and in xAPIC mode (lapic_virtual.c). */
#define LKX_X2APIC_VIRTUALIZATION \
	(CTRL(PROC2, VIRTUALIZE_X2APIC) | CTRL(PROC2, APIC_REGISTER_VIRTUALIZATION) | CTRL(PROC2, VIRTUAL_INTERRUPT_DELIVERY))
#define LKX_XAPIC_VIRTUALIZATION (CTRL(PROC2, VIRTUALIZE_APIC_ACCESSES) | CTRL(PROC2, APIC_REGISTER_VIRTUALIZATION))

/* Everything a VMCS's controls are made of. Immutable after lkx_vmx_caps_read. */
struct lkx_vmx_caps {
	u32 revision;     /* VMCS revision identifier */
	u32 vmcs_bytes;
	u32 pin, proc, proc2, exit, entry; /* the controls every VMCS starts with */
	u64 cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 cr0_must;        /* bits of CR0 that are 1 in guests (NE; PE and PG are free) */
	bool ept_ad;
	u8 ept_level;        /* the highest at which the EPT may have a page: 1 4 KiB, 2 2 MiB, 3 1 GiB */
	bool invept_single;
	bool vpid;        /* VPIDs with single-context INVVPID */
	bool invvpid_address;
	bool ins_outs_info; /* VM exits for INS and OUTS say segment and address size */
	bool preemption_timer;
	u8 preemption_timer_shift; /* it counts when this bit of the TSC changes */
	bool apic_timer;           /* the preemption timer may be the APIC timers' (lapic_timer.c) */
	bool tsc_scaling;
	bool rdtscp, invpcid;
	bool pml;                /* the dirty log by page-modification logging (pml.h) */
	bool virtual_interrupts; /* the processor does what a local APIC does most: LKX_X2APIC_VIRTUALIZATION, LKX_XAPIC_VIRTUALIZATION */
	bool acknowledge_interrupts; /* external-interrupt exits take the interrupt out of the host's interrupt controller, and say its vector */
	bool posted_interrupts;  /* both, and in x2APIC mode it delivers interrupts, too, without exits (lapic_virtual.c) */
	/* what the processor's page walks, the guest's included, go by */
	u8 physical_bits;
	bool pages_1gb;
	/* chosen by whoever owns the capabilities */
	u32 preemption_ticks; /* bounds each lap in the guest by the VMX preemption timer; 0: not used */
	bool large_no_execute; /* large pages are never executable: fetching from one can hang the processor (iTLB multihit) */
	u32 disable_exits;    /* KVM_CAP_X86_DISABLE_EXITS: what VMs may ask for */
	u64 msr_bitmap_pa;    /* page filled by lkx_msr_bitmap_init, the same for every vCPU; where virtual_interrupts, one of lkx_lapic_pass_through behind it */
};

/* What the VMX preemption timer of a vCPU counts down from where no APIC timer runs out sooner. */
static inline u32 lkx_lap_limit(const struct lkx_vmx_caps *caps)
{
	return caps->preemption_ticks ? caps->preemption_ticks >> caps->preemption_timer_shift : ~0u;
}

/*
 * Reads the capability MSRs of the processor of `hw` and chooses controls. 0, or -ENODEV with `*missing` naming
 * the first thing that the module cannot do without.
 */
int lkx_vmx_caps_read(struct lkx_hw *hw, struct lkx_vmx_caps *caps, const char **missing);

#endif
