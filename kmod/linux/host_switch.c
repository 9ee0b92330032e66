// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Host state around a guest: what the VMCS restores at each exit, and what it does not. SDM vol. 3, 25.5 and 28.5. */
#include "vcpu_load.h"
#include "vmx_cpu.h"
#include <linux/percpu.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/tlbflush.h>

void lkx_vmexit(void); /* vmenter.S */

void lkx_host_state_init(struct linux_vcpu *lv)
{
	u64 value;

	vmcs_write16(NULL, HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write16(NULL, HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write16(NULL, HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmcs_write16(NULL, HOST_DS_SELECTOR, 0);
	vmcs_write16(NULL, HOST_ES_SELECTOR, 0);
	vmcs_write16(NULL, HOST_FS_SELECTOR, 0);
	vmcs_write16(NULL, HOST_GS_SELECTOR, 0);
	/* TS has been clear since the kernel gave up lazy FPU switching. */
	vmcs_writen(NULL, HOST_CR0, read_cr0());
	vmcs_writen(NULL, HOST_RIP, (unsigned long)lkx_vmexit);
	rdmsrl(MSR_IA32_SYSENTER_CS, value);
	vmcs_write32(NULL, HOST_SYSENTER_CS, (u32)value);
	rdmsrl(MSR_IA32_SYSENTER_EIP, value);
	vmcs_writen(NULL, HOST_SYSENTER_EIP, value);
	rdmsrl(MSR_IA32_CR_PAT, value);
	vmcs_write64(NULL, HOST_IA32_PAT, value);
	rdmsrl(MSR_EFER, value);
	vmcs_write64(NULL, HOST_IA32_EFER, value);
	lv->host_fs_base = 0;
	vmcs_writen(NULL, HOST_FS_BASE, 0);
}

void lkx_host_state_of_cpu(struct linux_vcpu *lv)
{
	struct desc_ptr idt;
	u64 value;
	int cpu = get_cpu();

	store_idt(&idt);
	vmcs_writen(NULL, HOST_IDTR_BASE, idt.address);
	vmcs_writen(NULL, HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_writen(NULL, HOST_GDTR_BASE, (unsigned long)get_current_gdt_ro());
	rdmsrl(MSR_IA32_SYSENTER_ESP, value);
	vmcs_writen(NULL, HOST_SYSENTER_ESP, value);
	rdmsrl(MSR_GS_BASE, value);
	vmcs_writen(NULL, HOST_GS_BASE, value);
	lv->host_cr3 = lv->host_cr4 = 0; /* not what any CPU has: written at entry */
	put_cpu();
}

void lkx_host_state_of_entry(struct linux_vcpu *lv)
{
	unsigned long cr3 = __read_cr3(), cr4 = cr4_read_shadow();

	if (unlikely(cr3 != lv->host_cr3)) {
		vmcs_writen(NULL, HOST_CR3, cr3);
		lv->host_cr3 = cr3;
	}
	if (unlikely(cr4 != lv->host_cr4)) {
		vmcs_writen(NULL, HOST_CR4, cr4);
		lv->host_cr4 = cr4;
	}
}

/*
 * SYSCALL's MSRs matter only to user space, and in the kernel's own entry from it: the guest's may stay
 * until this thread leaves KVM_RUN or the CPU. Written only where they differ.
 */
static void load_guest_msrs(struct linux_vcpu *lv, const struct host_msrs *host)
{
	struct lkx_vcpu *v = &lv->core;

#define SWITCH(msr, field, have)                  \
	do {                                      \
		if (v->field != (have)->field)    \
			wrmsrl(msr, v->field);    \
	} while (0)
	SWITCH(MSR_STAR, star, host);
	SWITCH(MSR_LSTAR, lstar, host);
	SWITCH(MSR_CSTAR, cstar, host);
	SWITCH(MSR_SYSCALL_MASK, fmask, host);
	if (lkx_caps.rdtscp)
		SWITCH(MSR_TSC_AUX, tsc_aux, host);
#undef SWITCH
	lv->loaded_msrs = (struct host_msrs){ v->star, v->lstar, v->cstar, v->fmask, v->tsc_aux };
	v->cpu_msrs_changed = false;
}

void lkx_switch_to_guest(struct linux_vcpu *lv)
{
	struct lkx_cpu *cpu = this_cpu_ptr(&lkx_cpu);

	if (likely(lv->host_switched)) {
		/* The guest's own KERNEL_GS_BASE is in the processor and stays there. */
		if (unlikely(lv->core.cpu_msrs_changed))
			load_guest_msrs(lv, &lv->loaded_msrs);
		return;
	}
	if (unlikely(!lv->loaded))
		return;
	savesegment(ds, lv->host_ds);
	savesegment(es, lv->host_es);
	savesegment(fs, lv->host_fs);
	savesegment(gs, lv->host_gs);
	store_idt(&lv->host_idt);
	lv->host_debugctl = get_debugctlmsr();
	rdmsrl(MSR_KERNEL_GS_BASE, lv->host_kernel_gs_base);
	/* A VM exit loads null selectors (others the VMCS may not hold) and FS.base from the VMCS. */
	{
		u64 fs_base;

		rdmsrl(MSR_FS_BASE, fs_base);
		if (fs_base != lv->host_fs_base) {
			lv->host_fs_base = fs_base;
			vmcs_writen(NULL, HOST_FS_BASE, fs_base);
		}
	}
	wrmsrl(MSR_KERNEL_GS_BASE, lv->core.kernel_gs_base);
	load_guest_msrs(lv, &cpu->host);
	lv->host_switched = true;
}

void lkx_switch_to_host(struct linux_vcpu *lv)
{
	struct lkx_cpu *cpu = this_cpu_ptr(&lkx_cpu);
	const struct host_msrs *guest = &lv->loaded_msrs;

	if (!lv->host_switched)
		return;
	lv->host_switched = false;
	rdmsrl(MSR_KERNEL_GS_BASE, lv->core.kernel_gs_base);

#define RESTORE(msr, field)                                \
	do {                                               \
		if (guest->field != cpu->host.field)       \
			wrmsrl(msr, cpu->host.field);      \
	} while (0)
	RESTORE(MSR_STAR, star);
	RESTORE(MSR_LSTAR, lstar);
	RESTORE(MSR_CSTAR, cstar);
	RESTORE(MSR_SYSCALL_MASK, fmask);
	if (lkx_caps.rdtscp)
		RESTORE(MSR_TSC_AUX, tsc_aux);
#undef RESTORE
	/* Loading FS and GS clears or changes their bases: selectors first. */
	if (unlikely(lv->host_fs)) {
		loadsegment(fs, lv->host_fs);
		wrmsrl(MSR_FS_BASE, lv->host_fs_base);
	}
	if (unlikely(lv->host_gs))
		load_gs_index(lv->host_gs);
	if (unlikely(lv->host_ds | lv->host_es)) {
		loadsegment(ds, lv->host_ds);
		loadsegment(es, lv->host_es);
	}
	wrmsrl(MSR_KERNEL_GS_BASE, lv->host_kernel_gs_base);
	/* A VM exit leaves TR with the architecture's smallest limit, GDTR and IDTR with the largest. */
	invalidate_tss_limit();
	load_fixmap_gdt(smp_processor_id());
	load_idt(&lv->host_idt);
}
