// SPDX-License-Identifier: MIT OR GPL-2.0-only
// KVM_SET_GUEST_DEBUG: steps, breakpoints, and what it must not take.
#include "rows.h"

#include <string.h>

static long set_debug(struct setup *s, uint32_t control, uint64_t db0, uint64_t dr7)
{
	struct kvm_guest_debug debug = { .control = control, .arch.debugreg = { db0, [7] = dr7 } };

	return ioctl(s->vcpu, KVM_SET_GUEST_DEBUG, &debug);
}

enum {
	ON = KVM_GUESTDBG_ENABLE,
	STEP = ON | KVM_GUESTDBG_SINGLESTEP,
	SOFT = ON | KVM_GUESTDBG_USE_SW_BP,
	HARD = ON | KVM_GUESTDBG_USE_HW_BP,
};

static void load(struct setup *s, const char *code, int size)
{
	struct kvm_regs regs = { .rip = 0x200, .rflags = 2, .rsp = 0x1000 };
	struct kvm_sregs sregs;

	// Handlers of #DB and #BP, each a HLT: at 0x110 and 0x130.
	memcpy(s->memory + 4, "\x10\x01\0\0", 4);
	memcpy(s->memory + 12, "\x30\x01\0\0", 4);
	s->memory[0x110] = s->memory[0x130] = 0xf4;
	memcpy(s->memory + 0x200, code, size);
	ioctl(s->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	ioctl(s->vcpu, KVM_SET_SREGS, &sregs);
	ioctl(s->vcpu, KVM_SET_REGS, &regs);
}

// COUNT runs: of each the exit's reason and the low byte of RIP.
static long runs(struct setup *s, int count)
{
	long all = 0;

	while (count--) {
		struct kvm_regs regs;

		if (ioctl(s->vcpu, KVM_RUN, 0))
			return -1;
		ioctl(s->vcpu, KVM_GET_REGS, &regs);
		all = all << 12 | (s->run->exit_reason & 15) << 8 | (regs.rip & 0xff);
	}
	return all;
}

#define DEBUG_RUN(NAME, CONTROL, DB0, DR7, CODE, COUNT) \
	ROW(debug_##NAME) { \
		load(s, CODE, sizeof(CODE)); \
		return set_debug(s, CONTROL, DB0, DR7) ? -1 : runs(s, COUNT); \
	}

DEBUG_RUN(step, STEP, 0, 0, "\x90\x90\x90\xf4", 3)
DEBUG_RUN(step_over_sti, STEP, 0, 0, "\xfb\x90\x90\xf4", 3)
DEBUG_RUN(step_over_mov_ss, STEP, 0, 0, "\x8e\xd0\x90\x90\xf4", 3)
DEBUG_RUN(step_over_cpuid, STEP, 0, 0, "\x90\x0f\xa2\x90\xf4", 3)
DEBUG_RUN(step_over_out, STEP, 0, 0, "\xe6\x10\x90\x90\xf4", 3)
DEBUG_RUN(step_over_in, STEP, 0, 0, "\xe4\x10\x90\x90\xf4", 3)
DEBUG_RUN(step_over_rdmsr, STEP, 0, 0, "\x66\xb9\x10\0\0\0\x0f\x32\x90\xf4", 3)
DEBUG_RUN(step_into_int3, STEP, 0, 0, "\xcc\x90\xf4", 2)
DEBUG_RUN(step_not_enabled, KVM_GUESTDBG_SINGLESTEP, 0, 0, "\x90\x90\x90\xf4", 1)
DEBUG_RUN(soft_breakpoint, SOFT, 0, 0, "\x90\xcc\x90\xf4", 1)
DEBUG_RUN(soft_breakpoint_again, SOFT, 0, 0, "\x90\xcc\x90\xf4", 3)
DEBUG_RUN(own_int3, ON, 0, 0, "\x90\xcc\x90\xf4", 1)
DEBUG_RUN(hard_breakpoint, HARD, 0x202, 0x402, "\x90\x90\x90\xf4", 1)
DEBUG_RUN(hard_breakpoint_elsewhere, HARD, 0x402, 0x402, "\x90\x90\x90\xf4", 1)
DEBUG_RUN(hard_watchpoint, HARD, 0x500, 0x10402, "\xa2\0\x05\x90\xf4", 1)
DEBUG_RUN(hard_off, HARD, 0x202, 0x400, "\x90\x90\x90\xf4", 1)
DEBUG_RUN(unknown_control, 0x80000000u, 0, 0, "\xf4", 1)
DEBUG_RUN(hard_dr7_high, HARD, 0, 1ull << 32, "\xf4", 1)

// What KVM_EXIT_DEBUG tells: PC, what happened, and the debugger's DR7.
#define DEBUG_TOLD(NAME, CONTROL, DB0, DR7, CODE, VALUE) \
	ROW(debug_told_##NAME) { \
		load(s, CODE, sizeof(CODE)); \
		if (set_debug(s, CONTROL, DB0, DR7) || ioctl(s->vcpu, KVM_RUN, 0)) \
			return -1; \
		return s->run->debug.arch.VALUE; \
	}

DEBUG_TOLD(step, STEP, 0, 0, "\x90\x90\xf4", dr6)
DEBUG_TOLD(step_pc, STEP, 0, 0, "\x90\x90\xf4", pc)
DEBUG_TOLD(step_vector, STEP, 0, 0, "\x90\x90\xf4", exception)
DEBUG_TOLD(step_over_cpuid, STEP, 0, 0, "\x0f\xa2\x90\xf4", dr6)
DEBUG_TOLD(hard, HARD, 0x202, 0x402, "\x90\x90\x90\xf4", dr6)
DEBUG_TOLD(hard_dr7, HARD, 0x202, 0x402, "\x90\x90\x90\xf4", dr7)
DEBUG_TOLD(soft_vector, SOFT, 0, 0, "\xcc\xf4", exception)
DEBUG_TOLD(soft_pc, SOFT, 0, 0, "\x90\xcc\xf4", pc)

// RFLAGS.TF as user space sees it between two steps.
ROW(debug_step_hides_tf)
{
	struct kvm_regs regs;

	load(s, "\x90\x90\xf4", 3);
	set_debug(s, STEP, 0, 0);
	ioctl(s->vcpu, KVM_RUN, 0);
	ioctl(s->vcpu, KVM_GET_REGS, &regs);
	return regs.rflags & 0x100;
}

ROW(debug_step_off_again)
{
	load(s, "\x90\x90\x90\xf4", 4);
	set_debug(s, STEP, 0, 0);
	runs(s, 1);
	set_debug(s, 0, 0, 0);
	return runs(s, 1);
}

// The guest's DR7 while the debugger has the hardware's.
ROW(debug_hides_dr7)
{
	struct kvm_debugregs regs;

	set_debug(s, HARD, 0x202, 0x402);
	return ioctl(s->vcpu, KVM_GET_DEBUGREGS, &regs) ? -1 : (long)regs.dr7;
}

// A breakpoint that is the guest's own goes to its handler, which halts.
static long reinject(struct setup *s, uint32_t control, uint32_t inject, const char *code, int size)
{
	load(s, code, size);
	set_debug(s, control, 0, 0);
	if (ioctl(s->vcpu, KVM_RUN, 0) || s->run->exit_reason != KVM_EXIT_DEBUG)
		return -1;
	if (set_debug(s, KVM_GUESTDBG_ENABLE | inject, 0, 0))
		return -1;
	return runs(s, 1) << 16 | s->memory[0xffa] | s->memory[0xffb] << 8;
}

ROW(debug_inject_bp) { return reinject(s, SOFT, KVM_GUESTDBG_INJECT_BP, "\x90\xcc\x90\xf4", 5); }
ROW(debug_inject_db) { return reinject(s, STEP, KVM_GUESTDBG_INJECT_DB, "\x90\x90\x90\xf4", 5); }
ROW(debug_inject_twice)
{
	set_debug(s, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB, 0, 0);
	return set_debug(s, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB, 0, 0);
}
ROW(debug_null) { return ioctl(s->vcpu, KVM_SET_GUEST_DEBUG, 0); }
