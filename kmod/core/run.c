// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* KVM_RUN: finish what user space answered, then lap by lap into the guest until user space is needed again. */
#include "events.h"
#include "exits.h"
#include "cr.h"
#include "debug.h"
#include "lapic.h"
#include "mmio.h"
#include "msr.h"
#include "state.h"

/* What user space answered to IN goes to RAX. Apart from its caller: only this needs a buffer, which the compiler guards. */
static noinline void take_in_data(struct lkx_vcpu *v)
{
	u64 data = 0;

	if (v->pio.size < 4)
		data = v->regs.gpr[RAX];
	memcpy(&data, v->pio_data, v->pio.size);
	v->regs.gpr[RAX] = data;
}

static int finish_last_exit(struct lkx_vcpu *v)
{
	enum lkx_completion what = v->completion;
	u64 rip;

	v->completion = LKX_COMPLETE_NOTHING;
	switch (what) {
	case LKX_COMPLETE_NOTHING:
		return 1;
	case LKX_COMPLETE_IN:
	case LKX_COMPLETE_SKIP:
		/* User space may have moved RIP: then this instruction is no longer what the guest is at. */
		rip = lkx_rip(v);
		if (rip != v->completion_rip)
			return 1;
		if (what == LKX_COMPLETE_IN)
			take_in_data(v);
		lkx_skip_instruction_at(v, rip);
		return 1;
	case LKX_COMPLETE_INS:
		return lkx_pio_complete_ins(v);
	case LKX_COMPLETE_MMIO:
		return lkx_mmio_complete(v);
	case LKX_COMPLETE_MSR:
		return lkx_msr_complete(v);
	}
	return 1;
}

/*
 * XCR0, CR2 and armed debug registers: the guest's for the time of one lap. Interrupts are off.
 * Returns the host's XCR0 where it was replaced, else 0.
 */
static u64 load_guest(struct lkx_vcpu *v)
{
	struct lkx_hw *hw = v->hw;
	u64 host_xcr0 = 0;

	if (v->osxsave) {
		u64 host = hw_xgetbv(hw);

		if (host != v->xcr0) {
			host_xcr0 = host;
			hw_xsetbv(hw, v->xcr0);
		}
	}
	if (hw_read_cr2(hw) != v->cr2)
		hw_write_cr2(hw, v->cr2);
	if (unlikely(vmcs_readn(hw, GUEST_DR7) & DR7_ENABLE_BITS)) {
		v->after_exit |= LKX_AFTER_DEBUG;
		hw_load_debug_registers(hw, v->guest_debug & KVM_GUESTDBG_USE_HW_BP ? v->debug_dr : v->dr, v->dr6);
	}
	return host_xcr0;
}

static void save_guest(struct lkx_vcpu *v, u64 host_xcr0, bool failed)
{
	struct lkx_hw *hw = v->hw;

	v->cr2 = hw_read_cr2(hw);
	if (unlikely(v->after_exit))
		lkx_after_exit(v, failed);
	if (host_xcr0)
		hw_xsetbv(hw, host_xcr0);
}

static void read_exit(struct lkx_vcpu *v)
{
	struct lkx_exit *e = &v->exit;
	struct lkx_hw *hw = v->hw;
	u16 reason;

	e->reason = vmcs_read32(hw, EXIT_REASON);
	e->interruption_info = 0;
	e->idt_vectoring_info = 0;
	if (unlikely(e->reason & EXIT_REASON_ENTRY_FAILED)) {
		e->qualification = vmcs_readn(hw, EXIT_QUALIFICATION);
		return;
	}
	e->idt_vectoring_info = vmcs_read32(hw, IDT_VECTORING_INFO);
	if (unlikely(e->idt_vectoring_info & INTR_INFO_VALID))
		e->idt_vectoring_error = vmcs_read32(hw, IDT_VECTORING_ERROR_CODE);
	e->instruction_length = vmcs_read32(hw, EXIT_INSTRUCTION_LENGTH);
	e->qualification = vmcs_readn(hw, EXIT_QUALIFICATION);
	reason = e->reason;
	if (reason == EXIT_EPT_VIOLATION || reason == EXIT_EPT_MISCONFIGURATION) {
		e->gpa = vmcs_read64(hw, GUEST_PHYSICAL_ADDRESS);
	} else if (reason <= EXIT_EXTERNAL_INTERRUPT) { /* or EXIT_EXCEPTION_NMI */
		e->interruption_info = vmcs_read32(hw, EXIT_INTERRUPTION_INFO);
		e->interruption_error = vmcs_read32(hw, EXIT_INTERRUPTION_ERROR_CODE);
	}
}

/* VMLAUNCH or VMRESUME itself failed: a control or host-state field is wrong, which only this module can have done. */
static int entry_failed(struct lkx_vcpu *v)
{
	u32 error = vmcs_read32(v->hw, INSTRUCTION_ERROR);

	plat_debug(v->hw, "likex: VM entry failed, VM-instruction error %u\n", error);
	v->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	v->run->fail_entry.hardware_entry_failure_reason = error;
	v->run->fail_entry.cpu = plat_cpu(v);
	return 0;
}

/*
 * An IRET that the exit interrupted had already unblocked NMIs: block them again, the guest will execute it anew.
 * SDM vol. 3, 28.2.3. (For EPT violations the qualification says so: exit_ept.c.)
 */
static void reblock_nmis(struct lkx_vcpu *v)
{
	u32 info = v->exit.interruption_info;

	if ((info & INTR_INFO_VALID) && (info & INTR_INFO_NMI_UNBLOCKING) && (info & INTR_INFO_VECTOR) != VECTOR_DF &&
	    !(v->exit.idt_vectoring_info & INTR_INFO_VALID))
		vmcs_write32(v->hw, GUEST_INTERRUPTIBILITY,
			     vmcs_read32(v->hw, GUEST_INTERRUPTIBILITY) | INTERRUPTIBILITY_NMI);
}

/* One lap: into the guest and out again. As an exit handler's result; 1 also when entry was put off. */
static int lap(struct lkx_vcpu *v)
{
	u64 host_xcr0;
	bool failed;
	int r;

	if (unlikely(v->triple_fault)) {
		v->triple_fault = false;
		v->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	}
	r = lkx_events_inject(v);
	if (unlikely(r <= 0))
		return r;
	if (!plat_entry_begin(v)) {
		lkx_events_cancel(v);
		return 1;
	}
	/* From here a kick interrupts this CPU; whoever changed something before sees or is seen. Pairs with lkx_tlb_flush. */
	plat_store32(&v->mode, LKX_IN_GUEST);
	plat_mb();
	if (unlikely(plat_entry_pending(v) || plat_read_once(v->events.requests))) {
		plat_store32(&v->mode, LKX_OUTSIDE_GUEST);
		plat_entry_end(v);
		lkx_events_cancel(v);
		return 1;
	}
	lkx_tlb_sync(v);
	if (unlikely(v->timer_tsc))
		lkx_lapic_timer_load(v);
	plat_trace_entry(v);
	host_xcr0 = load_guest(v);
	v->has_run = true;
	failed = hw_enter_guest(v->hw, &v->regs, v->launched);
	save_guest(v, host_xcr0, failed);
	plat_store32(&v->mode, LKX_OUTSIDE_GUEST);
	if (unlikely(failed)) {
		plat_entry_end(v);
		lkx_events_cancel(v);
		return entry_failed(v);
	}
	read_exit(v);
	v->stats.exits++;
	/* An entry that failed on guest state leaves the VMCS clear: the next one is a VMLAUNCH again. SDM vol. 3, "VMLAUNCH". */
	if (likely(!(v->exit.reason & EXIT_REASON_ENTRY_FAILED)))
		v->launched = true;
	if (unlikely(v->exit.interruption_info & INTR_INFO_VALID))
		plat_host_event(v, v->exit.interruption_info);
	plat_entry_end(v);

	plat_trace_exit(v, &v->exit);
	if (unlikely(v->exit.reason & EXIT_REASON_ENTRY_FAILED)) {
		/* Nothing was delivered; ENTRY_INTERRUPTION_INFO keeps its valid bit. SDM vol. 3, 27.8. */
		lkx_events_cancel(v);
		return lkx_exit_dispatch(v);
	}
	lkx_events_after_exit(v);
	reblock_nmis(v);
	plat_debug(v->hw, "likex: vcpu %u exit %u qualification %#llx rip %#llx\n", v->id, v->exit.reason,
		   (unsigned long long)v->exit.qualification, (unsigned long long)lkx_rip(v));
	return lkx_exit_dispatch(v);
}

static int run_guest(struct lkx_vcpu *v)
{
	struct kvm_run *run = v->run;
	u64 cr8 = plat_read_once(run->cr8);
	int r;

	/* Without a local APIC here the run page carries CR8 in both directions. */
	if (unlikely(cr8 != v->cr8) && !v->lapic && lkx_cr8_set(v, cr8))
		return -EINVAL;
	r = finish_last_exit(v);
	if (r <= 0)
		return r;
	if (unlikely(v->stepped))
		return lkx_debug_exit(v, VECTOR_DB, DR6_BS);
	if (plat_immediate_exit(run))
		return -EINTR;
	run->exit_reason = KVM_EXIT_UNKNOWN;
	for (;;) {
		r = lap(v);
		if (r <= 0)
			return r;
		if (unlikely(v->stepped))
			return lkx_debug_exit(v, VECTOR_DB, DR6_BS);
		if (plat_read_once(run->request_interrupt_window) && lkx_ready_for_interrupt(v)) {
			run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
			return 0;
		}
		r = plat_run_poll(v);
		if (r) {
			v->stats.signal_exits++;
			run->exit_reason = KVM_EXIT_INTR;
			return r;
		}
	}
}

int lkx_vcpu_run(struct lkx_vcpu *v)
{
	int r;

	if (unlikely(v->guest_debug))
		lkx_debug_begin(v);
	r = run_guest(v);
	if (unlikely(v->guest_debug))
		lkx_debug_end(v);
	if (unlikely(v->lapic))
		lkx_lapic_leave(v);
	return r;
}

void lkx_fill_run_page(struct lkx_vcpu *v)
{
	struct kvm_run *run = v->run;
	bool if_flag = lkx_rflags(v) & RFLAGS_IF;

	plat_write_once(run->if_flag, if_flag);
	plat_write_once(run->cr8, v->cr8);
	plat_write_once(run->apic_base, v->apic_base);
	plat_write_once(run->ready_for_interrupt_injection, if_flag && lkx_ready_for_interrupt(v));
	plat_write_once(run->flags, 0);
}
