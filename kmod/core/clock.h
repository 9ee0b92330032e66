/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A VM's clock: nanoseconds since its creation, or since what KVM_SET_CLOCK said. It goes on while the VM does not run. */
#ifndef LKX_CLOCK_H
#define LKX_CLOCK_H

#include "vm.h"

/* What KVM_CHECK_EXTENSION answers for KVM_CAP_ADJUST_CLOCK. */
#define LKX_CLOCK_FLAGS (KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)

/* The host's clocks at one instant. */
struct lkx_host_clocks {
	u64 boot, real; /* ns since boot, with the time asleep; since 1970 */
	u64 tsc;
	bool tsc_stable; /* all processors' TSCs are one clock, which the others follow */
};

/* The platform's slots lock is held in each. */
void lkx_clock_start(struct lkx_vm *vm, const struct lkx_host_clocks *now);
void lkx_clock_get(struct lkx_vm *vm, const struct lkx_host_clocks *now, struct kvm_clock_data *s);
/* 0 or -EINVAL. */
int lkx_clock_set(struct lkx_vm *vm, const struct lkx_host_clocks *now, const struct kvm_clock_data *s);

#endif
