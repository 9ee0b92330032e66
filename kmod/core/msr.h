/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* MSRs by table: what a guest's RDMSR and WRMSR and a VMM's KVM_GET_MSRS and KVM_SET_MSRS reach. SDM vol. 4. */
#ifndef LKX_MSR_H
#define LKX_MSR_H

#include "vcpu.h"

#define BIOS_SIGN_ID_RESET (1ull << 32) /* microcode's revision 1 */

/* True where there is no such MSR, or it does not take the value: #GP for a guest, the end of the list for a VMM. */
bool lkx_msr_get(struct lkx_vcpu *v, u32 index, u64 *value, bool by_guest);
bool lkx_msr_set(struct lkx_vcpu *v, u32 index, u64 value, bool by_guest);

/* KVM_GET_MSR_INDEX_LIST: the MSRs that are part of a vCPU's state. Writes at most `max`, returns how many there are. */
u32 lkx_msr_list(struct lkx_hw *hw, const struct lkx_vmx_caps *caps, u32 *index, u32 max);

/* KVM_GET_MSR_FEATURE_INDEX_LIST, likewise, and one of them as KVM_GET_MSRS of the system file has it: true where it is none. */
u32 lkx_msr_feature_list(u32 *index, u32 max);
bool lkx_msr_feature(u32 index, u64 *value);

/*
 * One page: which accesses reach the processor without an exit. The same for all vCPUs of VMs without a filter (NULL). SDM vol. 3, 25.6.9.
 */
struct lkx_msr_filter;
void lkx_msr_bitmap_init(u8 *page, const struct lkx_msr_filter *filter);
/* The page for v as it is now: its VM's filter's; or that of all vCPUs, or of those whose APIC's work the processor does (tlb.c). */
void lkx_msr_bitmap_follow(struct lkx_vcpu *v);

/* User space has answered KVM_EXIT_X86_RDMSR or _WRMSR: 1. */
int lkx_msr_complete(struct lkx_vcpu *v);

/* Guest TSC now, and making it read `value` now. */
u64 lkx_tsc_read(struct lkx_vcpu *v);
void lkx_tsc_write(struct lkx_vcpu *v, u64 value);
/*
 * KVM_SET_MSRS cannot write the TSCs of several vCPUs at one instant: 0, or what is within a second of what the VMM wrote to another, is meant to
 * be that one's, and becomes so exactly.
 */
void lkx_tsc_write_vmm(struct lkx_vcpu *v, u64 value);
/* What the guest's TSC counts while the host's counts `tsc`. */
u64 lkx_tsc_scale(struct lkx_vcpu *v, u64 tsc);
/* A new vCPU's: the VM's rate, 0 when the VM's first vCPU was made. */
void lkx_tsc_init(struct lkx_vcpu *v);
/* The frequency the guest's TSC runs at, in kHz: false where the processor can't. */
bool lkx_tsc_set_khz(struct lkx_vcpu *v, u32 khz);

#endif
