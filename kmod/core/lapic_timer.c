// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The APIC timer: counts down at 1 GHz less its divisor, once or over and over, or waits for a value of the TSC. SDM vol. 3, 11.5.4.
 *
 * While the vCPU runs it is the VMX preemption timer that ends it, where the processor's can: that costs neither the host's timer nor its interrupt.
 * While it waits in HLT the platform's timer does, which is set then. In user space nobody looks: what has run out meanwhile shows with the next
 * entry. A platform's timer that is set stays so until it fires, or the guest sets its own anew.
 */
#include "cpuid.h"
#include "exits.h"
#include "lapic.h"
#include "msr.h"

#define MODE_PERIODIC BIT(17)
#define MODE_DEADLINE BIT(18)
#define MODES (MODE_PERIODIC | MODE_DEADLINE)
/* A shorter period is taken for this one: a guest may not have its host do nothing but run out. */
#define LEAST_PERIOD_NS 200000
/* Further off than anybody waits; and what keeps the arithmetic within 64 bits. */
#define MAX_MILLISECONDS (1ull << 32)

static u32 mode(const struct lkx_vcpu *v)
{
	return v->lapic->reg[LAPIC_LVT_TIMER] & MODES;
}

/* Nanoseconds a count. SDM vol. 3, figure 11-10: 2, 4, … 128, and 1. */
static u32 divisor(const struct lkx_lapic *l)
{
	u32 d = l->reg[LAPIC_TIMER_DIVIDE];

	return 1u << ((((d & 3) | (d & 8) >> 1) + 1) & 7);
}

static void by_processor(struct lkx_vcpu *v, u64 tsc)
{
	if (v->timer_tsc && !tsc)
		vmcs_write32(v->hw, PREEMPTION_TIMER_VALUE, lkx_lap_limit(v->vm->caps));
	v->timer_tsc = tsc;
}

static void run_until(struct lkx_vcpu *v, u64 at)
{
	struct lkx_lapic *l = v->lapic;
	bool processor = v->vm->caps->apic_timer;

	l->timer_at = at;
	if (l->timer_waits || !processor)
		plat_timer_set(v, processor ? 0 : at);
	l->timer_waits = false;
	by_processor(v, processor && at ? LKX_TIMER_STALE : 0);
}

void lkx_lapic_timer_wait(struct lkx_vcpu *v)
{
	if (!v->timer_tsc)
		return;
	by_processor(v, 0);
	v->lapic->timer_waits = true;
	plat_timer_set(v, v->lapic->timer_at);
}

void lkx_lapic_timer_load(struct lkx_vcpu *v)
{
	const struct lkx_vmx_caps *caps = v->vm->caps;
	u64 tsc = hw_rdtsc(v->hw), now, left = 0;

	if (v->timer_tsc == LKX_TIMER_STALE) {
		now = plat_now(v->hw);
		if (v->lapic->timer_at > now)
			left = mul_u64_u32_div(v->lapic->timer_at - now, plat_tsc_khz(v->hw), 1000000);
		v->timer_tsc = tsc + left;
	} else if (v->timer_tsc > tsc) {
		left = v->timer_tsc - tsc;
	}
	/* Not too early: the first two changes of the bit may come one right after the other. 0 exits before the first instruction. */
	if (left)
		left = (left >> caps->preemption_timer_shift) + 2;
	vmcs_write32(v->hw, PREEMPTION_TIMER_VALUE, min(left, (u64)lkx_lap_limit(caps)));
}

void lkx_lapic_timer_stop(struct lkx_vcpu *v)
{
	if (v->lapic->timer_at)
		run_until(v, 0);
}

void lkx_lapic_timer_resume(struct lkx_vcpu *v, u32 count)
{
	run_until(v, plat_now(v->hw) + (u64)count * divisor(v->lapic));
}

void lkx_lapic_timer_start(struct lkx_vcpu *v, u32 count)
{
	if (mode(v) & MODE_DEADLINE)
		return;
	v->lapic->reg[LAPIC_TIMER_INITIAL] = count;
	if (count)
		lkx_lapic_timer_resume(v, count);
	else
		lkx_lapic_timer_stop(v);
}

u32 lkx_lapic_timer_count(struct lkx_vcpu *v)
{
	u64 at = v->lapic->timer_at, now;

	if (!at || (mode(v) & MODE_DEADLINE))
		return 0;
	now = plat_now(v->hw);
	if (now < at)
		return div64_u64(at - now + divisor(v->lapic) - 1, divisor(v->lapic));
	/* It has run out, and the interrupt is on its way. */
	if (!(mode(v) & MODE_PERIODIC))
		return 0;
	at = (u64)v->lapic->reg[LAPIC_TIMER_INITIAL] * divisor(v->lapic);
	return at ? div64_u64(at - (now - v->lapic->timer_at) % at, divisor(v->lapic)) : 0;
}

bool lkx_lapic_has_tsc_deadline(struct lkx_vcpu *v)
{
	return lkx_cpuid_has(v, 1, LEAF_ECX, 24);
}

void lkx_lapic_timer_set_mode(struct lkx_vcpu *v, u32 lvt)
{
	struct lkx_lapic *l = v->lapic;

	if (!lkx_lapic_has_tsc_deadline(v))
		lvt &= ~(u32)MODE_DEADLINE;
	/* To the deadline mode, or from it: disarmed. */
	if ((lvt ^ l->reg[LAPIC_LVT_TIMER]) & MODE_DEADLINE) {
		lkx_lapic_timer_stop(v);
		l->reg[LAPIC_TIMER_INITIAL] = 0;
		l->tsc_deadline = 0;
	}
	l->reg[LAPIC_LVT_TIMER] = lvt;
}

void lkx_lapic_timer_set_divide(struct lkx_vcpu *v, u32 value)
{
	u32 left = lkx_lapic_timer_count(v);

	v->lapic->reg[LAPIC_TIMER_DIVIDE] = value;
	if (left)
		lkx_lapic_timer_resume(v, left);
}

u64 lkx_lapic_deadline(struct lkx_vcpu *v)
{
	return v->lapic && (mode(v) & MODE_DEADLINE) ? v->lapic->tsc_deadline : 0;
}

void lkx_lapic_set_deadline(struct lkx_vcpu *v, u64 deadline)
{
	struct lkx_lapic *l = v->lapic;
	u64 now, left, milliseconds;
	u32 khz = v->tsc_khz;

	if (!l || !(mode(v) & MODE_DEADLINE))
		return;
	l->tsc_deadline = deadline;
	lkx_lapic_timer_stop(v);
	if (!deadline)
		return;
	now = lkx_tsc_read(v);
	if (deadline <= now) {
		l->timer_at = plat_now(v->hw);
		lkx_lapic_post(v, LKX_POSTED_TIMER);
		return;
	}
	left = deadline - now;
	milliseconds = min(div_u64(left, khz), MAX_MILLISECONDS);
	/* Rounded up: not before the TSC is there. */
	run_until(v, plat_now(v->hw) + milliseconds * 1000000 + div_u64(left % khz * 1000000, khz) + 1);
	/* (The host's TSC may come round to what is too far off.) */
	if (v->timer_tsc && v->tsc_multiplier == LKX_TSC_MULTIPLIER_ONE && milliseconds < MAX_MILLISECONDS)
		v->timer_tsc = deadline - v->tsc_offset;
}

static void ran_out(struct lkx_vcpu *v, u64 now)
{
	struct lkx_lapic *l = v->lapic;
	u32 lvt = l->reg[LAPIC_LVT_TIMER];
	u64 period;

	period = lvt & MODE_PERIODIC ? (u64)l->reg[LAPIC_TIMER_INITIAL] * divisor(l) : 0;
	l->tsc_deadline = 0;
	/* Periods that nobody was there for are over. */
	if (period) {
		period = max(period, (u64)LEAST_PERIOD_NS);
		run_until(v, now + period - (now - l->timer_at) % period);
	} else {
		l->timer_at = 0;
		by_processor(v, 0);
	}
	if (!(lvt & LAPIC_LVT_MASKED))
		lkx_lapic_interrupt(v, lvt, false);
}

void lkx_lapic_timer_expired(struct lkx_vcpu *v)
{
	u64 at = v->lapic->timer_at, now = plat_now(v->hw);

	/* It was set anew since; or the clock of the CPU it fired on is a little ahead of this one's. */
	if (now < at)
		run_until(v, at);
	else if (at)
		ran_out(v, now);
}

/* The APIC's timer has run out, whatever plat_now says: the two clocks differ a little. Or it was only a lap that was long enough. */
int lkx_exit_preemption_timer(struct lkx_vcpu *v)
{
	if (v->timer_tsc && hw_rdtsc(v->hw) >= v->timer_tsc)
		ran_out(v, max(plat_now(v->hw), v->lapic->timer_at));
	return 1;
}
