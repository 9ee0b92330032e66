/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Where a vCPU's VMCS and registers are: in memory, in a processor, or in use. */
#ifndef LKX_LINUX_VCPU_LOAD_H
#define LKX_LINUX_VCPU_LOAD_H

#include "likex.h"
#include <asm/special_insns.h>
#include <asm/tlbflush.h>

/* Makes the VMCS current on this CPU and keeps it so across preemption and migration, until vcpu_put. */
void lkx_vcpu_load(struct linux_vcpu *lv);
void lkx_vcpu_put(struct linux_vcpu *lv);

/* VMCLEAR wherever it is loaded; the VMCS page is memory again. The vCPU is not in use. */
void lkx_vmcs_clear(struct linux_vcpu *lv);
/* All VMCSs that this CPU's processor holds. Interrupts off. */
void lkx_vmcs_clear_all_here(void);

/* --- host_switch.c: host state that a guest replaces outside of the VMCS. Preemption off. --- */

/* Saves the host's, loads the guest's. */
void lkx_load_guest_host_state(struct linux_vcpu *lv);
/* The same, once: cheap when it is the guest's already. */
static inline void lkx_switch_to_guest(struct linux_vcpu *lv)
{
	if (unlikely(!lv->host_switched || lv->core.cpu_msrs_changed))
		lkx_load_guest_host_state(lv);
}
/* The reverse. Afterwards the thread may be switched out or return to user space. */
void lkx_switch_to_host(struct linux_vcpu *lv);
/* Host-state fields of the VMCS that depend on the CPU: after it moved. */
void lkx_host_state_of_cpu(struct linux_vcpu *lv);
/* Those that never change: once, with the VMCS current. */
void lkx_host_state_init(struct linux_vcpu *lv);
void lkx_host_cr3_changed(struct linux_vcpu *lv, unsigned long cr3);
void lkx_host_cr4_changed(struct linux_vcpu *lv, unsigned long cr4);
/* CR3 and CR4 as they are now. Interrupts off. */
static inline void lkx_host_state_of_entry(struct linux_vcpu *lv)
{
	unsigned long cr3 = __read_cr3(), cr4 = cr4_read_shadow();

	if (unlikely(cr3 != lv->host_cr3))
		lkx_host_cr3_changed(lv, cr3);
	if (unlikely(cr4 != lv->host_cr4))
		lkx_host_cr4_changed(lv, cr4);
}

#endif
