/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* VMX operation, CPU by CPU: on while there are VMs, off otherwise, off on every way out of the kernel. */
#ifndef LKX_LINUX_VMX_CPU_H
#define LKX_LINUX_VMX_CPU_H

#include "vmx_caps.h"
#include <linux/list.h>
#include <linux/percpu.h>
#include <asm/desc_defs.h>

/*
 * MSRs of the host that a guest's values replace while its vCPU is loaded. The same on all CPUs but TSC_AUX. Not CSTAR:
 * no processor with VMX uses it, as SYSCALL exists in 64-bit mode only (SDM vol. 2, "SYSCALL").
 */
struct host_msrs {
	u64 star, lstar, fmask, tsc_aux;
};

/* One CPU's part. Written on that CPU with interrupts off. */
struct lkx_cpu {
	void *vmxon_region;          /* one page */
	bool vmx_on;
	struct linux_vcpu *current_vmcs; /* whose VMCS is current here */
	struct list_head loaded;     /* linux_vcpu.loaded_link: VMCSs this CPU's processor holds */
	struct host_msrs host;
	struct desc_ptr gdt, idt;    /* the host's; a VM exit leaves them with the largest limit */
};

DECLARE_PER_CPU(struct lkx_cpu, lkx_cpu);

extern struct lkx_vmx_caps lkx_caps;

/* Checks the processor and prepares every CPU. 0, -ENODEV (log says what is missing), -ENOMEM. */
int lkx_vmx_init(void);
void lkx_vmx_exit(void);

/* emergency.c: a crashing kernel takes the CPUs out of VMX operation. */
void lkx_emergency_init(void);
void lkx_emergency_exit(void);
/* They are in it, or are not any more. Waits for nothing, but where stock KVM is loaded (6.12). */
void lkx_emergency_set(bool in_vmx_operation);

/* A VM comes or goes. The first brings all CPUs into VMX operation: 0; -EBUSY when another hypervisor has it; -EIO. */
int lkx_vmx_get(void);
void lkx_vmx_put(void);

/* How often the host has slept. Written with one CPU running, interrupts off. */
extern u32 lkx_resumes;

#endif
