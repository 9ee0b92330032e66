// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* One case: into VMX operation, a fresh VMCS, VMLAUNCH, and out again. */
#include "internal.h"
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include <asm/asm.h>
#include <asm/msr.h>
#include <asm/tlbflush.h>

/* True where the instruction fails: hw.h's complain to the log, and here failing is an answer. */
static bool vmwrite_fails(u32 encoding, u64 value)
{
	bool failed = true;

	asm volatile("1: vmwrite %[value], %[field]\n\tsetna %[failed]\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : [failed] "+qm"(failed) : [value] "r"(value), [field] "r"((u64)encoding) : "cc");
	return failed;
}

static bool vmread_fails(u32 encoding, u64 *value)
{
	bool failed = true;

	asm volatile("1: vmread %[field], %[value]\n\tsetna %[failed]\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : [failed] "+qm"(failed), [value] "+r"(*value) : [field] "r"((u64)encoding) : "cc");
	return failed;
}

/* IA32_VMX_EPT_VPID_CAP. */
#define INVEPT_GLOBAL_OFFERED BIT_ULL(26)
#define INVVPID_ALL_OFFERED BIT_ULL(42)

/* What earlier cases left of translations; where a type doesn't exist there is nothing of its kind either. */
static void forget_translations(void)
{
	u64 have = 0;

	rdmsrl_safe(MSR_IA32_VMX_EPT_VPID_CAP, &have);
	if (have & INVEPT_GLOBAL_OFFERED)
		hw_invept(NULL, INVEPT_GLOBAL, 0);
	if (have & INVVPID_ALL_OFFERED)
		hw_invvpid(NULL, INVVPID_ALL, 0, 0);
}

static void launch(struct vmx_cases_run *run, const struct vmx_cases_field *fields, struct vmx_cases_field *results)
{
	struct lkx_regs regs = {};
	struct host host;
	unsigned int i;

	host_save(&host);
	host_write(&host);
	for (i = 0; i < run->field_count; i++) {
		if (vmwrite_fails(fields[i].encoding, fields[i].value)) {
			run->outcome = VMX_CASES_REFUSED;
			run->refused = fields[i].encoding;
			return;
		}
	}
	forget_translations();
	regs.gpr[0] = run->rax;
	regs.gpr[7] = run->rdi;
	run->outcome = lkx_vmenter(&regs, false) ? VMX_CASES_FAILED : VMX_CASES_EXITED;
	host_restore(&host);
	run->rax = regs.gpr[0];
	run->rdi = regs.gpr[7];
	for (i = 0; i < run->result_count; i++) {
		results[i].value = 0;
		results[i].exists = !vmread_fails(results[i].encoding, &results[i].value);
	}
}

/* In VMX operation. */
static int with_vmcs(const struct regions *regions, u32 revision, struct vmx_cases_run *run,
		     const struct vmx_cases_field *fields, struct vmx_cases_field *results)
{
	u64 vmcs = virt_to_phys(regions->vmcs);

	memset(regions->vmcs, 0, PAGE_SIZE);
	*(u32 *)regions->vmcs = revision;
	if (hw_vmclear(NULL, vmcs) || hw_vmptrld(NULL, vmcs))
		return -EIO;
	launch(run, fields, results);
	hw_vmclear(NULL, vmcs);
	return 0;
}

int case_run(const struct regions *regions, struct vmx_cases_run *run, const struct vmx_cases_field *fields,
	     struct vmx_cases_field *results)
{
	unsigned long flags;
	u64 basic = 0;
	int r = -EIO;

	rdmsrl_safe(MSR_IA32_VMX_BASIC, &basic);
	local_irq_save(flags);
	if (__read_cr4() & X86_CR4_VMXE) {
		local_irq_restore(flags);
		return -EBUSY;
	}
	*(u32 *)regions->vmxon = (u32)basic & 0x7fffffff;
	cr4_set_bits(X86_CR4_VMXE);
	if (!hw_vmxon(NULL, virt_to_phys(regions->vmxon))) {
		r = with_vmcs(regions, (u32)basic & 0x7fffffff, run, fields, results);
		hw_vmxoff(NULL);
	}
	cr4_clear_bits(X86_CR4_VMXE);
	local_irq_restore(flags);
	return r;
}
