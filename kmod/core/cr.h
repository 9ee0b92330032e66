/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Control registers and EFER: the rules, and how the guest's value becomes the processor's. SDM vol. 3, 2.5 and 24.8. */
#ifndef LKX_CR_H
#define LKX_CR_H

#include "vcpu.h"

/* What a MOV to CR0/CR3/CR4 does: true where the processor would raise #GP(0), and nothing changed. */
bool lkx_cr0_set(struct lkx_vcpu *v, u64 value);
bool lkx_cr3_set(struct lkx_vcpu *v, u64 value);
bool lkx_cr4_set(struct lkx_vcpu *v, u64 value);
bool lkx_cr8_set(struct lkx_vcpu *v, u64 value);
/* WRMSR IA32_EFER by the guest, or by the VMM, for whom LME may change under paging. */
bool lkx_efer_set(struct lkx_vcpu *v, u64 value, bool by_guest);
bool lkx_xcr0_set(struct lkx_vcpu *v, u64 value);

/* Is the value one that this vCPU may have, whatever the other registers say? */
bool lkx_cr0_valid(u64 value);
bool lkx_cr4_valid(struct lkx_vcpu *v, u64 value);
bool lkx_efer_valid(struct lkx_vcpu *v, u64 value);

/* Put a valid value into the VMCS, whatever it was. */
void lkx_cr0_load(struct lkx_vcpu *v, u64 value);
void lkx_cr4_load(struct lkx_vcpu *v, u64 value);
void lkx_efer_load(struct lkx_vcpu *v, u64 value);
/* The PDPTEs at `cr3` into the VMCS, as PAE paging wants them: true where they can't be read or have reserved bits. */
bool lkx_pdptes_load(struct lkx_vcpu *v, u64 cr3);
/* PAE paging without long mode is on. */
bool lkx_pae_paging(struct lkx_vcpu *v);

/* What the guest's CPUID changes: allowed bits of CR4 and XCR0. */
void lkx_cr_cpuid_changed(struct lkx_vcpu *v);

#endif
