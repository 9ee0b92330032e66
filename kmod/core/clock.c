// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "clock.h"

void lkx_clock_start(struct lkx_vm *vm, const struct lkx_host_clocks *now)
{
	vm->clock_offset = -now->boot;
}

void lkx_clock_get(struct lkx_vm *vm, const struct lkx_host_clocks *now, struct kvm_clock_data *s)
{
	*s = (struct kvm_clock_data){ .clock = now->boot + vm->clock_offset };
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
	vm->clock_offset = clock - now->boot;
	return 0;
}
