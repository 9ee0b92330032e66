// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The guest's TSC: host TSC * multiplier + offset, by the processor. SDM vol. 3, 25.6.5 and 26.3. */
#include "msr.h"
#include "pv.h"

static u64 scale(u64 tsc, u64 multiplier)
{
	return multiplier == LKX_TSC_MULTIPLIER_ONE ? tsc : mul_u64_u64_shr(tsc, multiplier, 48);
}

u64 lkx_tsc_read(struct lkx_vcpu *v)
{
	return scale(hw_rdtsc(v->hw), v->tsc_multiplier) + v->tsc_offset;
}

u64 lkx_tsc_scale(struct lkx_vcpu *v, u64 tsc)
{
	return scale(tsc, v->tsc_multiplier);
}

static void set_offset(struct lkx_vcpu *v, u64 offset)
{
	plat_store64(&v->tsc_offset, offset);
	vmcs_write64(v->hw, TSC_OFFSET, offset);
	/* Each vCPU's clock counts by its own TSC, and says whether all are one. */
	lkx_pv_clocks_changed(v->vm);
}

void lkx_tsc_write(struct lkx_vcpu *v, u64 value)
{
	set_offset(v, value - scale(hw_rdtsc(v->hw), v->tsc_multiplier));
}

void lkx_tsc_write_vmm(struct lkx_vcpu *v, u64 value)
{
	u64 now = scale(hw_rdtsc(v->hw), v->tsc_multiplier), offset = value - now, second = v->tsc_khz * 1000ull;
	u64 common = plat_load64(&v->vm->tsc_offset);

	if (!value || (plat_read_once(v->vm->tsc_written) && offset - common + second < 2 * second))
		offset = common;
	else
		plat_store64(&v->vm->tsc_offset, offset);
	plat_write_once(v->vm->tsc_written, true);
	set_offset(v, offset);
}

bool lkx_tsc_set_khz(struct lkx_vcpu *v, u32 khz)
{
	const struct lkx_vmx_caps *caps = v->vm->caps;
	u32 host = plat_tsc_khz(v->hw);
	u64 multiplier = LKX_TSC_MULTIPLIER_ONE, now;
	/* Clocks agree to 250 ppm at best: within that the host's own rate is as good. */
	u64 tolerance = host / 4000;

	if (!khz || !host)
		return false;
	if (khz + tolerance < host || khz > host + tolerance) {
		if (!caps->tsc_scaling || khz / host >= 1u << 15)
			return false;
		multiplier = mul_u64_u32_div(LKX_TSC_MULTIPLIER_ONE, khz, host);
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
		plat_store64(&vm->tsc_offset, v->tsc_offset);
		vm->tsc_started = true;
	} else {
		set_offset(v, plat_load64(&vm->tsc_offset));
	}
}
