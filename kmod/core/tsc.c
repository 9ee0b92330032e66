// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The guest's TSC: host TSC * multiplier + offset, by the processor. SDM vol. 3, 25.6.5 and 26.3. */
#include "msr.h"

#define MULTIPLIER_ONE (1ull << 48)

static u64 scale(u64 tsc, u64 multiplier)
{
	return multiplier == MULTIPLIER_ONE ? tsc : mul_u64_u64_shr(tsc, multiplier, 48);
}

u64 lkx_tsc_read(struct lkx_vcpu *v)
{
	return scale(hw_rdtsc(v->hw), v->tsc_multiplier) + v->tsc_offset;
}

void lkx_tsc_write(struct lkx_vcpu *v, u64 value)
{
	v->tsc_offset = value - scale(hw_rdtsc(v->hw), v->tsc_multiplier);
	vmcs_write64(v->hw, TSC_OFFSET, v->tsc_offset);
}

bool lkx_tsc_set_khz(struct lkx_vcpu *v, u32 khz)
{
	const struct lkx_vmx_caps *caps = v->vm->caps;
	u32 host = plat_tsc_khz(v->hw);
	u64 multiplier = MULTIPLIER_ONE, now;
	/* Clocks agree to 250 ppm at best: within that the host's own rate is as good. */
	u64 tolerance = host / 4000;

	if (!khz || !host)
		return false;
	if (khz + tolerance < host || khz > host + tolerance) {
		if (!caps->tsc_scaling || khz / host >= 1u << 15)
			return false;
		multiplier = mul_u64_u32_div(MULTIPLIER_ONE, khz, host);
	}
	now = v->tsc_multiplier ? lkx_tsc_read(v) : 0;
	v->tsc_multiplier = multiplier;
	v->tsc_khz = khz;
	if (caps->tsc_scaling)
		vmcs_write64(v->hw, TSC_MULTIPLIER, multiplier);
	lkx_tsc_write(v, now);
	return true;
}

void lkx_tsc_init(struct lkx_vcpu *v)
{
	struct lkx_vm *vm = v->vm;

	if (!lkx_tsc_set_khz(v, vm->tsc_khz))
		plat_warn_on(v->hw, true);
	/* The processors of one machine count together: from the first one's creation. */
	if (!vm->tsc_started) {
		vm->tsc_offset = v->tsc_offset;
		vm->tsc_started = true;
	} else {
		v->tsc_offset = vm->tsc_offset;
		vmcs_write64(v->hw, TSC_OFFSET, v->tsc_offset);
	}
}
