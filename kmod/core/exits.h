/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Exit handlers. Each returns 1 to resume the guest, 0 to return to user space with the run page filled, or
 * -errno for KVM_RUN to fail with. One handler a VMX exit reason; exit.c has the table.
 */
#ifndef LKX_EXITS_H
#define LKX_EXITS_H

#include "vcpu.h"

/* One call of KVM_RUN: finishes the last exit, then laps until user space is needed. 0 or -errno (-EINTR, -EFAULT). */
int lkx_vcpu_run(struct lkx_vcpu *v);

/* The access that exited hit an IRET that had unblocked NMIs: it will be executed again. SDM vol. 3, 28.2.3. */
static inline void lkx_reblock_nmis(struct lkx_vcpu *v)
{
	if ((v->exit.qualification & EPT_VIOLATION_NMI_UNBLOCKING) && !(v->exit.idt_vectoring_info & INTR_INFO_VALID))
		vmcs_write32(v->hw, GUEST_INTERRUPTIBILITY,
			     vmcs_read32(v->hw, GUEST_INTERRUPTIBILITY) | INTERRUPTIBILITY_NMI);
}

int lkx_exit_dispatch(struct lkx_vcpu *v);
/* One that what is in the VMCS does not ask for. */
int lkx_exit_unexpected(struct lkx_vcpu *v);
/* The access to v->exit.gpa meets no memory: MMIO, `qualification` as an EPT violation's. exit_ept.c. */
int lkx_exit_no_memory(struct lkx_vcpu *v, u64 qualification);

int lkx_exit_io(struct lkx_vcpu *v);            /* exit_io.c: IN, OUT */
int lkx_exit_string_io(struct lkx_vcpu *v);     /* exit_string_io.c: INS, OUTS, REP */
int lkx_pio_complete_ins(struct lkx_vcpu *v);   /* exit_string_io.c */
int lkx_exit_ept_violation(struct lkx_vcpu *v); /* exit_ept.c */
int lkx_exit_virtual_apic(struct lkx_vcpu *v);  /* lapic_virtual.c: APIC access, APIC write, virtualized EOI */
int lkx_exit_preemption_timer(struct lkx_vcpu *v); /* lapic_timer.c */
int lkx_exit_pml_full(struct lkx_vcpu *v);      /* pml.c */
int lkx_exit_cr(struct lkx_vcpu *v);            /* exit_cr.c */
int lkx_exit_dr(struct lkx_vcpu *v);            /* exit_dr.c */
int lkx_exit_cpuid(struct lkx_vcpu *v);         /* cpuid.c */
int lkx_exit_rdmsr(struct lkx_vcpu *v);         /* msr.c */
int lkx_exit_wrmsr(struct lkx_vcpu *v);
int lkx_exit_exception(struct lkx_vcpu *v);     /* exit_exception.c */

#endif
