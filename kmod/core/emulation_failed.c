// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What the core does not emulate goes to user space, with the instruction.
#include "fetch.h"
#include "mmio.h"

int lkx_emulation_exit(struct lkx_vcpu *v)
{
	struct kvm_run *run = v->run;
	struct lkx_fetched f;
	u32 ndata = 1; /* flags */

	lkx_fetch(v, &f);
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	run->emulation_failure.flags = 0;
	if (f.count) {
		run->emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		run->emulation_failure.insn_size = f.count;
		memcpy(run->emulation_failure.insn_bytes, f.byte, sizeof(run->emulation_failure.insn_bytes));
		ndata += 2;
	}
	/* What of the exit helps to see why; no part of the ABI. */
	run->internal.data[ndata++] = v->exit.reason;
	run->internal.data[ndata++] = v->exit.qualification;
	run->internal.data[ndata++] = v->exit.gpa;
	run->emulation_failure.ndata = ndata;
	v->completion = LKX_COMPLETE_NOTHING;
	return 0;
}

int lkx_emulation_failed(struct lkx_vcpu *v)
{
	/* A guest's program must not end the guest: unless the VMM wants to see it, this is its kernel's. */
	if (lkx_cpl(v) && !plat_read_once(v->vm->exit_on_emulation_failure)) {
		lkx_inject_ud(v);
		return 1;
	}
	return lkx_emulation_exit(v);
}
