// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Host state around a guest: what the VMCS restores at each exit, and what it does not. SDM vol. 3, 25.5 and 28.5. */
#include "compat.h"
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
	u64 value;
	int cpu = get_cpu();

	vmcs_writen(NULL, HOST_IDTR_BASE, this_cpu_read(lkx_cpu.idt.address));
	vmcs_writen(NULL, HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_writen(NULL, HOST_GDTR_BASE, (unsigned long)get_current_gdt_ro());
	rdmsrl(MSR_IA32_SYSENTER_ESP, value);
	vmcs_writen(NULL, HOST_SYSENTER_ESP, value);
	rdmsrl(MSR_GS_BASE, value);
	vmcs_writen(NULL, HOST_GS_BASE, value);
	lv->host_cr3 = lv->host_cr4 = 0; /* not what any CPU has: written at entry */
	put_cpu();
}

/* A field of the VMCS that has to follow the host. */
void lkx_host_cr3_changed(struct linux_vcpu *lv, unsigned long cr3)
{
	vmcs_writen(NULL, HOST_CR3, cr3);
	lv->host_cr3 = cr3;
}

void lkx_host_cr4_changed(struct linux_vcpu *lv, unsigned long cr4)
{
	vmcs_writen(NULL, HOST_CR4, cr4);
	lv->host_cr4 = cr4;
}

static void switch_msrs(const struct host_msrs *have, const struct host_msrs *want)
{
#define SWITCH(msr, field)                          \
	do {                                        \
		if (have->field != want->field)     \
			wrmsrl(msr, want->field);   \
	} while (0)
	SWITCH(MSR_STAR, star);
	SWITCH(MSR_LSTAR, lstar);
	SWITCH(MSR_SYSCALL_MASK, fmask);
	if (lkx_caps.rdtscp)
		SWITCH(MSR_TSC_AUX, tsc_aux);
#undef SWITCH
}

/* SYSCALL and SYSRET are invalid while EFER.SCE is clear: what their MSRs hold then is nobody's business. */
static bool has_syscall(const struct lkx_vcpu *v)
{
	return v->efer & EFER_SCE_BIT;
}

/*
 * SYSCALL's MSRs matter only to user space, and in the kernel's own entry from it: the guest's may stay
 * until this thread leaves KVM_RUN or the CPU. Written only where they differ.
 */
static noinline void load_guest_msrs(struct linux_vcpu *lv, const struct host_msrs *host)
{
	struct lkx_vcpu *v = &lv->core;
	struct host_msrs guest = *host;

	if (has_syscall(v)) {
		guest.star = v->star;
		guest.lstar = v->lstar;
		guest.fmask = v->fmask;
	}
	guest.tsc_aux = v->tsc_aux;
	switch_msrs(lv->msrs_differ ? &lv->loaded_msrs : host, &guest);
	lv->loaded_msrs = guest;
	lv->msrs_differ = true;
	v->cpu_msrs_changed = false;
}

void lkx_load_guest_host_state(struct linux_vcpu *lv)
{
	struct lkx_cpu *cpu = this_cpu_ptr(&lkx_cpu);
	struct lkx_vcpu *v = &lv->core;
	u64 fs_base;

	if (lv->host_switched) {
		/* The guest's own KERNEL_GS_BASE is in the processor and stays there. */
		load_guest_msrs(lv, &cpu->host);
		return;
	}
	if (unlikely(!lv->loaded))
		return;
	savesegment(ds, lv->host_ds);
	savesegment(es, lv->host_es);
	savesegment(fs, lv->host_fs);
	savesegment(gs, lv->host_gs);
	lv->host_debugctl = lkx_rdmsr(MSR_IA32_DEBUGCTLMSR);
	/* A VM exit loads null selectors (others the VMCS may not hold) and FS.base from the VMCS. */
	fs_base = x86_fsbase_read_cpu();
	if (unlikely(fs_base != lv->host_fs_base)) {
		lv->host_fs_base = fs_base;
		vmcs_writen(NULL, HOST_FS_BASE, fs_base);
	}
	lv->host_kernel_gs_base = lkx_rdmsr(MSR_KERNEL_GS_BASE);
	if (unlikely(lv->host_kernel_gs_base != v->kernel_gs_base))
		lkx_wrmsr(MSR_KERNEL_GS_BASE, v->kernel_gs_base);
	v->cpu_msrs_changed = false;
	if (has_syscall(v) || v->tsc_aux != cpu->host.tsc_aux)
		load_guest_msrs(lv, &cpu->host);
	lv->host_switched = true;
	/* It comes from user space, or from another thread. */
	lv->l1d_touched = true;
}

/* Of a thread with an I/O bitmap, which lies behind that limit. For others it is enough to note it, as invalidate_tss_limit does. */
static noinline void restore_tss_limit(void)
{
	invalidate_tss_limit();
}

/* Of a 32-bit program, or one that loads segment registers by itself. */
static noinline void restore_selectors(struct linux_vcpu *lv)
{
	/* Loading FS and GS clears or changes their bases: selectors first. */
	if (lv->host_fs) {
		loadsegment(fs, lv->host_fs);
		wrmsrl(MSR_FS_BASE, lv->host_fs_base);
	}
	if (lv->host_gs) {
		load_gs_index(lv->host_gs);
		wrmsrl(MSR_KERNEL_GS_BASE, lv->host_kernel_gs_base);
	}
	loadsegment(ds, lv->host_ds);
	loadsegment(es, lv->host_es);
}

void lkx_switch_to_host(struct linux_vcpu *lv)
{
	const struct lkx_cpu *cpu = this_cpu_ptr(&lkx_cpu);
	struct lkx_vcpu *v = &lv->core;

	if (!lv->host_switched)
		return;
	lv->host_switched = false;
	v->kernel_gs_base = lkx_rdmsr(MSR_KERNEL_GS_BASE);
	if (unlikely(v->kernel_gs_base != lv->host_kernel_gs_base))
		lkx_wrmsr(MSR_KERNEL_GS_BASE, lv->host_kernel_gs_base);
	if (lv->msrs_differ) {
		lv->msrs_differ = false;
		switch_msrs(&lv->loaded_msrs, &cpu->host);
	}
	if (unlikely(lv->host_ds | lv->host_es | lv->host_fs | lv->host_gs))
		restore_selectors(lv);
	/* A VM exit leaves TR with the architecture's smallest limit, GDTR and IDTR with the largest. */
	if (unlikely(test_thread_flag(TIF_IO_BITMAP)))
		restore_tss_limit();
	else
		this_cpu_write(__tss_limit_invalid, true);
	native_load_gdt(&cpu->gdt);
	native_load_idt(&cpu->idt);
}
