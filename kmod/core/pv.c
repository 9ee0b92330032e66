// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "pv.h"
#include "clock.h"
#include "guest_memory.h"
#include "lapic.h"
#include "msr.h"

/* The guest's side of the clock. */
struct pv_clock {
	u32 version; /* odd: being written */
	u32 pad;
	u64 tsc;     /* the guest's, when its clock was `ns` */
	u64 ns;
	u32 mul;
	s8 shift;
	u8 flags;
	u8 pad2[2];
};
_Static_assert(sizeof(struct pv_clock) == 32, "KVM's ABI");
#define CLOCK_TSC_STABLE BIT(0)    /* what one vCPU reads, another does not find passed */
#define CLOCK_GUEST_STOPPED BIT(1) /* until the guest clears it */

struct pv_wall_clock {
	u32 version, seconds, ns; /* real time when the VM's clock was 0 */
};
_Static_assert(sizeof(struct pv_wall_clock) == 12, "KVM's ABI");

struct pv_steal {
	u64 ns;
	u32 version;
	u32 flags;
	u8 preempted;
	u8 pad[47];
};
_Static_assert(sizeof(struct pv_steal) == 64, "KVM's ABI");
#define STEAL_RESERVED 0x3eull
#define EOI_RESERVED 2ull

u32 lkx_pv_features(struct lkx_hw *hw)
{
	return LKX_PV_CLOCKSOURCE | LKX_PV_NOP_IO_DELAY | LKX_PV_CLOCKSOURCE2 | LKX_PV_EOI | LKX_PV_UNHALT | LKX_PV_CLOCKSOURCE_STABLE |
	       (plat_knows_run_delay(hw) ? LKX_PV_STEAL_TIME : 0);
}

/* As readers expect it: an odd version, the rest, the next even version. `version` is in what was read there before. */
static void write_versioned(struct lkx_vm *vm, u64 gpa, void *what, size_t len, u32 *version)
{
	u64 version_gpa = gpa + ((u8 *)version - (u8 *)what);

	*version = (*version + 1) | 1;
	if (lkx_gpa_write(vm, version_gpa, version, sizeof(*version)))
		return;
	plat_wmb();
	if (lkx_gpa_write(vm, gpa, what, len))
		return;
	plat_wmb();
	(*version)++;
	lkx_gpa_write(vm, version_gpa, version, sizeof(*version));
}

/* All vCPUs' TSCs are one. */
static bool tscs_agree(struct lkx_vcpu *v)
{
	u32 count = lkx_vm_vcpus(v->vm), i;

	for (i = 0; i < count; i++) {
		struct lkx_vcpu *other = v->vm->vcpu[i];

		if (plat_load64(&other->tsc_offset) != v->tsc_offset || plat_load64(&other->tsc_multiplier) != v->tsc_multiplier)
			return false;
	}
	return true;
}

static void write_clock(struct lkx_vcpu *v)
{
	u64 gpa = v->pv.clock & ~1ull;
	struct lkx_host_clocks now;
	struct lkx_clock_point at;
	/* What the processor makes of the host's rate, which need not be quite what was asked for. */
	u32 khz = (u32)lkx_tsc_scale(v, plat_tsc_khz(v->hw));
	struct lkx_clock_rate rate;
	struct pv_clock c;

	if (!(v->pv.clock & 1) || !khz || lkx_gpa_read(v->vm, gpa, &c, sizeof(c)))
		return;
	rate = lkx_clock_rate(khz);
	plat_host_clocks(v->hw, &now);
	at = lkx_clock_point(v->vm, &now);
	c = (struct pv_clock){
		.version = c.version,
		.tsc = lkx_tsc_scale(v, at.tsc) + v->tsc_offset,
		.ns = at.ns,
		.mul = rate.mul,
		.shift = rate.shift,
		.flags = c.flags & CLOCK_GUEST_STOPPED,
	};
	if (at.stable && tscs_agree(v))
		c.flags |= CLOCK_TSC_STABLE;
	if (v->pv.clock_paused)
		c.flags |= CLOCK_GUEST_STOPPED;
	v->pv.clock_paused = false;
	write_versioned(v->vm, gpa, &c, sizeof(c), &c.version);
}

static void write_wall_clock(struct lkx_vm *vm, u64 gpa)
{
	struct lkx_host_clocks now;
	struct pv_wall_clock w;
	u64 ns;

	if (!gpa || lkx_gpa_read(vm, gpa, &w, sizeof(w)))
		return;
	plat_host_clocks(vm->hw, &now);
	ns = now.real - lkx_clock_read(vm, &now);
	w.seconds = (u32)div_u64(ns, 1000000000);
	w.ns = (u32)(ns - div_u64(ns, 1000000000) * 1000000000);
	write_versioned(vm, gpa, &w, sizeof(w), &w.version);
}

static u64 steal_gpa(const struct lkx_vcpu *v)
{
	return v->pv.steal_time & ~63ull;
}

static void write_steal_time(struct lkx_vcpu *v)
{
	u64 delay = plat_run_delay(v->hw), stolen = delay - v->pv.run_delay;
	struct pv_steal s;

	if (!(v->pv.steal_time & 1) || lkx_gpa_read(v->vm, steal_gpa(v), &s, sizeof(s)))
		return;
	/* The first time, or in another thread: what that waited before is not this vCPU's. */
	if (!v->pv.steal_begun || delay < v->pv.run_delay)
		stolen = 0;
	v->pv.steal_begun = true;
	v->pv.run_delay = delay;
	s.ns += stolen;
	s.preempted = 0;
	write_versioned(v->vm, steal_gpa(v), &s, sizeof(s), &s.version);
}

/*
 * The scheduler's locks are held. The page needs no mark in a dirty log: whoever wakes up on the other side begins with a whole structure, and
 * so does the next entry here.
 */
void lkx_pv_preempted(struct lkx_vcpu *v)
{
	u64 gpa = steal_gpa(v) + offsetof(struct pv_steal, preempted);
	struct lkx_memslot slot;
	u8 preempted = 1;

	if (lkx_memslot_find(v->vm, gpa >> LKX_PAGE_SHIFT, &slot) && !(slot.flags & KVM_MEM_READONLY))
		plat_user_write_atomic(v->hw, slot.hva + gpa - (slot.base_gfn << LKX_PAGE_SHIFT), &preempted, 1);
}

static bool write_eoi(struct lkx_vcpu *v, u8 offered)
{
	return !lkx_gpa_write(v->vm, v->pv.eoi & ~1ull, &offered, 1);
}

bool lkx_pv_eoi_offer(struct lkx_vcpu *v)
{
	return (v->pv.eoi & 1) && write_eoi(v, 1);
}

bool lkx_pv_eoi_taken(struct lkx_vcpu *v)
{
	u8 offered;

	/* Only while the guest runs does it change, and it does not run. */
	if (lkx_gpa_read(v->vm, v->pv.eoi & ~1ull, &offered, 1))
		return false;
	if (!(offered & 1))
		return true;
	write_eoi(v, 0);
	return false;
}

void lkx_pv_serve(struct lkx_vcpu *v, u8 requests)
{
	if (requests & LKX_REQUEST_CLOCK)
		write_clock(v);
	if (requests & LKX_REQUEST_STEAL_TIME)
		write_steal_time(v);
}

void lkx_pv_clocks_changed(struct lkx_vm *vm)
{
	u32 count = lkx_vm_vcpus(vm), i;

	for (i = 0; i < count; i++)
		if (plat_load64(&vm->vcpu[i]->pv.clock) & 1)
			lkx_request(vm->vcpu[i], LKX_REQUEST_CLOCK);
}

int lkx_pv_clock_paused(struct lkx_vcpu *v)
{
	if (!(v->pv.clock & 1))
		return -EINVAL;
	v->pv.clock_paused = true;
	lkx_request(v, LKX_REQUEST_CLOCK);
	return 0;
}

u64 lkx_pv_kick(struct lkx_vcpu *v, u32 apic_id)
{
	struct lkx_vcpu *other = v->lapic ? lkx_lapic_find(v->vm, apic_id) : NULL;

	if (other)
		lkx_lapic_post(other, LKX_POSTED_UNHALT);
	return 0;
}

bool lkx_pv_msr_get(struct lkx_vcpu *v, u32 index, u64 *value)
{
	switch (index) {
	case MSR_INDEX_KVM_WALL_CLOCK:
	case MSR_INDEX_KVM_WALL_CLOCK_NEW:
		*value = plat_load64(&v->vm->wall_clock);
		return false;
	case MSR_INDEX_KVM_SYSTEM_TIME:
	case MSR_INDEX_KVM_SYSTEM_TIME_NEW:
		*value = v->pv.clock;
		return false;
	case MSR_INDEX_KVM_STEAL_TIME:
		*value = v->pv.steal_time;
		return !plat_knows_run_delay(v->hw);
	case MSR_INDEX_KVM_PV_EOI_EN:
		*value = v->pv.eoi;
		return false;
	}
	return true;
}

bool lkx_pv_msr_set(struct lkx_vcpu *v, u32 index, u64 value)
{
	struct lkx_memslot slot;

	switch (index) {
	case MSR_INDEX_KVM_WALL_CLOCK:
	case MSR_INDEX_KVM_WALL_CLOCK_NEW:
		plat_store64(&v->vm->wall_clock, value);
		write_wall_clock(v->vm, value);
		return false;
	case MSR_INDEX_KVM_SYSTEM_TIME:
	case MSR_INDEX_KVM_SYSTEM_TIME_NEW:
		plat_store64(&v->pv.clock, value);
		lkx_request(v, LKX_REQUEST_CLOCK);
		return false;
	case MSR_INDEX_KVM_STEAL_TIME:
		if (!plat_knows_run_delay(v->hw) || (value & STEAL_RESERVED))
			return true;
		v->pv.steal_time = value;
		v->pv.steal_begun = false;
		lkx_request(v, LKX_REQUEST_STEAL_TIME);
		return false;
	case MSR_INDEX_KVM_PV_EOI_EN:
		if ((value & EOI_RESERVED) || ((value & 1) && !lkx_memslot_find(v->vm, value >> LKX_PAGE_SHIFT, &slot)))
			return true;
		if (v->lapic)
			lkx_lapic_see_eoi(v);
		v->pv.eoi = value;
		return false;
	}
	return true;
}
