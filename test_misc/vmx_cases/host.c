// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The host around a guest: SDM vol. 3, 25.5 and 28.5. */
#include "internal.h"
#include <linux/smp.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/tlbflush.h>

void lkx_vmexit(void); /* enter.S */

void host_save(struct host *h)
{
	store_idt(&h->idt);
	savesegment(ds, h->ds);
	savesegment(es, h->es);
	savesegment(fs, h->fs);
	savesegment(gs, h->gs);
	rdmsrl(MSR_FS_BASE, h->fs_base);
	rdmsrl(MSR_IA32_CR_PAT, h->pat);
	rdmsrl(MSR_EFER, h->efer);
	h->debugctl = get_debugctlmsr();
	h->has_perf_global = !rdmsrl_safe(MSR_CORE_PERF_GLOBAL_CTRL, &h->perf_global);
}

void host_write(const struct host *h)
{
	int cpu = smp_processor_id();
	u64 value;

	vmcs_write16(NULL, HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write16(NULL, HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write16(NULL, HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmcs_writen(NULL, HOST_CR0, read_cr0());
	vmcs_writen(NULL, HOST_CR3, __read_cr3());
	vmcs_writen(NULL, HOST_CR4, __read_cr4());
	vmcs_writen(NULL, HOST_RIP, (unsigned long)lkx_vmexit);
	vmcs_writen(NULL, HOST_FS_BASE, h->fs_base);
	rdmsrl(MSR_GS_BASE, value);
	vmcs_writen(NULL, HOST_GS_BASE, value);
	vmcs_writen(NULL, HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_writen(NULL, HOST_GDTR_BASE, (unsigned long)get_current_gdt_ro());
	vmcs_writen(NULL, HOST_IDTR_BASE, h->idt.address);
	rdmsrl(MSR_IA32_SYSENTER_CS, value);
	vmcs_write32(NULL, HOST_SYSENTER_CS, (u32)value);
	rdmsrl(MSR_IA32_SYSENTER_ESP, value);
	vmcs_writen(NULL, HOST_SYSENTER_ESP, value);
	rdmsrl(MSR_IA32_SYSENTER_EIP, value);
	vmcs_writen(NULL, HOST_SYSENTER_EIP, value);
	vmcs_write64(NULL, HOST_IA32_PAT, h->pat);
	vmcs_write64(NULL, HOST_IA32_EFER, h->efer);
}

void host_restore(const struct host *h)
{
	u64 value;

	/* A case may have asked for a null one. */
	loadsegment(ss, __KERNEL_DS);
	/* Loading FS and GS changes their bases: selectors first. */
	if (h->fs)
		loadsegment(fs, h->fs);
	wrmsrl(MSR_FS_BASE, h->fs_base);
	if (h->gs)
		load_gs_index(h->gs);
	if (h->ds | h->es) {
		loadsegment(ds, h->ds);
		loadsegment(es, h->es);
	}
	/* A VM exit leaves TR with the smallest limit, GDTR and IDTR with the largest. */
	invalidate_tss_limit();
	load_fixmap_gdt(smp_processor_id());
	load_idt(&h->idt);
	/* Not loaded where a case's controls don't ask for it. */
	rdmsrl(MSR_EFER, value);
	if (value != h->efer)
		wrmsrl(MSR_EFER, h->efer);
	rdmsrl(MSR_IA32_CR_PAT, value);
	if (value != h->pat)
		wrmsrl(MSR_IA32_CR_PAT, h->pat);
	if (h->has_perf_global)
		wrmsrl_safe(MSR_CORE_PERF_GLOBAL_CTRL, h->perf_global);
	update_debugctlmsr(h->debugctl);
}
