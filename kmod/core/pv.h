/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a guest that knows KVM shares with it: its clock, the time that others took from it, and the end of an interrupt. By MSRs the guest names
 * memory, which is written before an entry (LKX_REQUEST_CLOCK, LKX_REQUEST_STEAL_TIME, an interrupt); memory that is not there is passed over.
 * Documented in Documentation/virt/kvm/x86/msr.rst.
 */
#ifndef LKX_PV_H
#define LKX_PV_H

#include "vcpu.h"

/* CPUID leaf 0x40000001. */
#define LKX_PV_LEAF 0x40000000u
#define LKX_PV_CLOCKSOURCE BIT(0)
#define LKX_PV_NOP_IO_DELAY BIT(1)
#define LKX_PV_CLOCKSOURCE2 BIT(3)
#define LKX_PV_STEAL_TIME BIT(5)
#define LKX_PV_EOI BIT(6)
#define LKX_PV_UNHALT BIT(7)
#define LKX_PV_CLOCKSOURCE_STABLE BIT(24)
/* Its EAX on this platform. */
u32 lkx_pv_features(struct lkx_hw *hw);

/* MSRs, as lkx_msr_get and lkx_msr_set: true where it is none of these, or does not take the value. */
bool lkx_pv_msr_get(struct lkx_vcpu *v, u32 index, u64 *value);
bool lkx_pv_msr_set(struct lkx_vcpu *v, u32 index, u64 value);

/* INIT, as on stock KVM: none of it any more. */
static inline void lkx_pv_reset(struct lkx_vcpu *v)
{
	plat_store64(&v->pv.clock, 0);
	v->pv.steal_time = 0;
	v->pv.eoi = 0;
}

/* The vCPU's own thread, interrupts on: writes what `requests` (LKX_REQUEST_CLOCK, _STEAL_TIME) say. */
void lkx_pv_serve(struct lkx_vcpu *v, u8 requests);

/*
 * Between laps, in the vCPU's own thread, for its local APIC: the bit that says "the end of this interrupt needs no exit" is set, true where the guest
 * has it; and has the guest taken it away, which ends the interrupt? It is gone in any case.
 */
bool lkx_pv_eoi_offer(struct lkx_vcpu *v);
bool lkx_pv_eoi_taken(struct lkx_vcpu *v);

/* The hypercall KVM_HC_KICK_CPU: a HLT of the vCPU with that APIC ID, the one it is in or its next, is over. 0, also where there is none. */
u64 lkx_pv_kick(struct lkx_vcpu *v, u32 apic_id);

/* The VM's clock, or a vCPU's TSC, is not what guests were told. */
void lkx_pv_clocks_changed(struct lkx_vm *vm);
/* KVM_KVMCLOCK_CTRL: the guest was paused by user space. 0, or -EINVAL: it has no clock. */
int lkx_pv_clock_paused(struct lkx_vcpu *v);

/* The vCPU's thread has a processor that is not its last one; has been given one; loses it: here nothing may sleep, nor take a lock. */
static inline void lkx_pv_moved(struct lkx_vcpu *v)
{
	if (v->pv.clock & 1)
		lkx_request(v, LKX_REQUEST_CLOCK);
}

static inline void lkx_pv_scheduled_in(struct lkx_vcpu *v)
{
	if (unlikely(v->pv.steal_time & 1))
		lkx_request(v, LKX_REQUEST_STEAL_TIME);
}

void lkx_pv_preempted(struct lkx_vcpu *v);
static inline void lkx_pv_scheduled_out(struct lkx_vcpu *v)
{
	if (unlikely(v->pv.steal_time & 1))
		lkx_pv_preempted(v);
}

#endif
