/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* When the L1 data cache is flushed before a guest is entered (L1TF: a guest can read what the host has left in it). */
#ifndef LKX_MITIGATION_H
#define LKX_MITIGATION_H

#include "vmcs.h"

/* The module's parameter: as the host protects itself, as much as there is, nothing. */
enum lkx_mitigations { LKX_MITIGATIONS_AUTO, LKX_MITIGATIONS_FULL, LKX_MITIGATIONS_OFF, LKX_MITIGATIONS_UNKNOWN };

/* By the parameter's text. */
enum lkx_mitigations lkx_mitigations_parse(const char *text);

/* At no entry, after what may have brought secrets of the host's into the cache, at every entry. */
enum lkx_l1d_flush { LKX_L1D_NEVER, LKX_L1D_CONDITIONAL, LKX_L1D_ALWAYS };

/* `host`: what the host asks for. `vulnerable`: the processor has L1TF. `can_flush`: it has IA32_FLUSH_CMD. */
enum lkx_l1d_flush lkx_l1d_flush_choose(enum lkx_mitigations m, bool vulnerable, bool can_flush, enum lkx_l1d_flush host);

/*
 * Did the last exit's handler work on more of the host's memory than the vCPU itself? What is not known to be harmless did. Handlers that end
 * in user space need not be looked at: whoever comes from there flushes. Interrupts that the host takes on the way mark the CPU by themselves.
 */
static __always_inline bool lkx_exit_touches_host(u32 reason)
{
#define HARMLESS(name) (1ull << (EXIT_##name & 63))
	const u64 low = HARMLESS(EXTERNAL_INTERRUPT) | HARMLESS(INTERRUPT_WINDOW) | HARMLESS(NMI_WINDOW) | HARMLESS(CPUID) |
			HARMLESS(INVD) | HARMLESS(INVLPG) | HARMLESS(RDPMC) | HARMLESS(RDTSC) | HARMLESS(VMCALL) |
			HARMLESS(DR_ACCESS) | HARMLESS(MSR_READ) | HARMLESS(MSR_WRITE) | HARMLESS(MWAIT) | HARMLESS(MONITOR) |
			HARMLESS(PAUSE) | HARMLESS(RDTSCP) | HARMLESS(PREEMPTION_TIMER) | HARMLESS(WBINVD) | HARMLESS(XSETBV);
#undef HARMLESS
	return reason >= 64 || !(low >> reason & 1);
}

#endif
