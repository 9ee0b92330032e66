// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "clock.h"
#include "pv.h"

struct lkx_clock_rate lkx_clock_rate(u32 khz)
{
	u64 ns = 1000000, ticks = khz; /* a millisecond's */
	struct lkx_clock_rate rate = { .shift = 0 };

	for (; ns >= ticks; ticks <<= 1)
		rate.shift++;
	for (; 2 * ns < ticks; ns <<= 1)
		rate.shift--;
	rate.mul = div64_u64(ns << 32, ticks);
	return rate;
}

u64 lkx_clock_ns(struct lkx_clock_rate rate, u64 ticks)
{
	ticks = rate.shift < 0 ? ticks >> -rate.shift : ticks << rate.shift;
	return mul_u64_u64_shr(ticks, rate.mul, 32);
}

/* vm->clock.lock. */
static u64 read_locked(struct lkx_vm *vm, const struct lkx_host_clocks *now)
{
	const struct lkx_clock *c = &vm->clock;

	if (now->tsc_stable && c->epoch == now->epoch && c->tsc_khz)
		return c->ns + lkx_clock_ns(lkx_clock_rate(c->tsc_khz), now->tsc - c->tsc);
	return now->boot + c->offset;
}

/* vm->clock.lock. */
static void start_at(struct lkx_vm *vm, const struct lkx_host_clocks *now, u64 ns)
{
	struct lkx_clock *c = &vm->clock;

	c->offset = ns - now->boot;
	c->tsc = now->tsc;
	c->ns = ns;
	c->epoch = now->epoch;
	c->tsc_khz = plat_tsc_khz(vm->hw);
}

void lkx_clock_start(struct lkx_vm *vm, const struct lkx_host_clocks *now)
{
	plat_spin_init(vm->hw, &vm->clock.lock);
	start_at(vm, now, 0);
}

struct lkx_clock_point lkx_clock_point(struct lkx_vm *vm, const struct lkx_host_clocks *now)
{
	struct lkx_clock *c = &vm->clock;
	struct lkx_clock_point point = { .stable = now->tsc_stable && c->tsc_khz };

	plat_spin_lock(vm->hw, &c->lock);
	/* While the host slept its TSC may have stood still, or begun anew. */
	if (!point.stable || c->epoch != now->epoch)
		start_at(vm, now, now->boot + c->offset);
	point.tsc = c->tsc;
	point.ns = c->ns;
	plat_spin_unlock(vm->hw, &c->lock);
	return point;
}

u64 lkx_clock_read(struct lkx_vm *vm, const struct lkx_host_clocks *now)
{
	u64 ns;

	plat_spin_lock(vm->hw, &vm->clock.lock);
	ns = read_locked(vm, now);
	plat_spin_unlock(vm->hw, &vm->clock.lock);
	return ns;
}

void lkx_clock_get(struct lkx_vm *vm, const struct lkx_host_clocks *now, struct kvm_clock_data *s)
{
	*s = (struct kvm_clock_data){ .clock = lkx_clock_read(vm, now) };
	if (!now->tsc_stable)
		return;
	s->flags = LKX_CLOCK_FLAGS;
	s->realtime = now->real;
	s->host_tsc = now->tsc;
}

int lkx_clock_set(struct lkx_vm *vm, const struct lkx_host_clocks *now, const struct kvm_clock_data *s)
{
	u64 clock = s->clock;

	/* All that KVM_GET_CLOCK gives is taken back; only the real time means something here. */
	if (s->flags & ~LKX_CLOCK_FLAGS)
		return -EINVAL;
	/* The time that has gone by since KVM_GET_CLOCK, also on another host; never backwards. */
	if ((s->flags & KVM_CLOCK_REALTIME) && now->real > s->realtime)
		clock += now->real - s->realtime;
	plat_spin_lock(vm->hw, &vm->clock.lock);
	start_at(vm, now, clock);
	plat_spin_unlock(vm->hw, &vm->clock.lock);
	lkx_pv_clocks_changed(vm);
	plat_kick_guests(vm);
	return 0;
}
