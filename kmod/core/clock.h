/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A VM's clock: nanoseconds since its creation, or since what KVM_SET_CLOCK said. It goes on while the VM does not run. Where the host's TSC
 * is one clock for all processors it is counted by that, from one moment on, so that a guest which counts by its own (pv.c) has the same.
 */
#ifndef LKX_CLOCK_H
#define LKX_CLOCK_H

#include "vm.h"

/* What KVM_CHECK_EXTENSION answers for KVM_CAP_ADJUST_CLOCK. */
#define LKX_CLOCK_FLAGS (KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)

/* A rate, as a guest multiplies by it: ns = ((ticks << shift) * mul) >> 32; a negative shift goes right. */
struct lkx_clock_rate {
	u32 mul;
	s8 shift;
};

/* Of a TSC of `khz`, not 0. mul has its highest bit set. */
struct lkx_clock_rate lkx_clock_rate(u32 khz);
u64 lkx_clock_ns(struct lkx_clock_rate rate, u64 ticks);

/* The VM's clock was `ns` when the host's TSC was `tsc`. `stable`: and will go on with it. */
struct lkx_clock_point {
	u64 tsc, ns;
	bool stable;
};

void lkx_clock_start(struct lkx_vm *vm, const struct lkx_host_clocks *now);
struct lkx_clock_point lkx_clock_point(struct lkx_vm *vm, const struct lkx_host_clocks *now);
/* The clock now. */
u64 lkx_clock_read(struct lkx_vm *vm, const struct lkx_host_clocks *now);
void lkx_clock_get(struct lkx_vm *vm, const struct lkx_host_clocks *now, struct kvm_clock_data *s);
/* 0 or -EINVAL. The guests learn of it before their next entry. */
int lkx_clock_set(struct lkx_vm *vm, const struct lkx_host_clocks *now, const struct kvm_clock_data *s);

#endif
