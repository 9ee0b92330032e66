/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef VMX_CASES_INTERNAL_H
#define VMX_CASES_INTERNAL_H

#include "vcpu.h"
#include "vmcs.h"
#include "vmx_cases.h"
#include <asm/desc_defs.h>

/* What a VM exit changes of the host, or may where a case's VMCS says so. */
struct host {
	struct desc_ptr idt;
	u64 fs_base, pat, efer, debugctl, perf_global;
	u16 ds, es, fs, gs;
	bool has_perf_global;
};

/* All three on one CPU with interrupts off; `host_write` with a current VMCS. */
void host_save(struct host *h);
void host_write(const struct host *h);
void host_restore(const struct host *h);

/* Two pages: for VMXON, and the VMCS. */
struct regions {
	void *vmxon, *vmcs;
};

/* `fields` and `results` have been copied in. 0, -EBUSY or -EIO. */
int case_run(const struct regions *regions, struct vmx_cases_run *run, const struct vmx_cases_field *fields,
	     struct vmx_cases_field *results);

#endif
