// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "fake.h"
#include "tables.h"
#include <stdlib.h>

static bool address_succeeds(struct lkx_hw *hw, u64 pa)
{
	return false;
}

static bool vmxoff(struct lkx_hw *hw)
{
	return false;
}

static u64 vmread(struct lkx_hw *hw, u32 field)
{
	return fake_field(fake_of(hw), field);
}

static void vmwrite(struct lkx_hw *hw, u32 field, u64 value)
{
	/* As the processor: a field keeps only its width, and read-only data is read-only. */
	static const u64 mask[4] = { 0xffff, ~0ull, 0xffffffff, ~0ull };

	if (LKX_FIELD_IS_RO(field))
		abort();
	fake_set_field(fake_of(hw), field, value & mask[LKX_FIELD_WIDTH(field)]);
}

static void record(struct fake *f, struct fake_invalidation i)
{
	if (f->invalidations == FAKE_TABLE)
		abort();
	f->invalidation[f->invalidations++] = i;
}

static void invept(struct lkx_hw *hw, u64 type, u64 eptp)
{
	record(fake_of(hw), (struct fake_invalidation){ .type = type, .which = eptp });
}

static void invvpid(struct lkx_hw *hw, u64 type, u16 vpid, u64 gla)
{
	record(fake_of(hw), (struct fake_invalidation){ .is_vpid = true, .type = type, .which = vpid, .address = gla });
}

/* No guest runs here: it is out again at once. */
static bool enter_guest(struct lkx_hw *hw, struct lkx_regs *regs, bool launched)
{
	struct fake *f = fake_of(hw);

	f->entries++;
	f->at_entry = (struct fake_entry){ launched, f->vcpu.mode, f->xcr0, f->cr2 };
	return !f->enters;
}

static u64 rdmsr(struct lkx_hw *hw, u32 msr)
{
	struct fake *f = fake_of(hw);
	u32 i;

	for (i = 0; i < f->msrs; i++) {
		if (f->msr[i].key == msr)
			return f->msr[i].value;
	}
	return 0;
}

static void wrmsr(struct lkx_hw *hw, u32 msr, u64 value)
{
	struct fake *f = fake_of(hw);

	if (f->msr_writes == FAKE_TABLE)
		abort();
	f->msr_write[f->msr_writes++] = (struct fake_pair){ msr, value };
}

static u64 rdtsc(struct lkx_hw *hw)
{
	return fake_of(hw)->tsc;
}

static void cpuid(struct lkx_hw *hw, u32 leaf, u32 sub, u32 out[4])
{
	struct fake *f = fake_of(hw);
	u32 i;

	memset(out, 0, 4 * sizeof(u32));
	for (i = 0; i < f->cpuids; i++) {
		if (f->cpuid[i].leaf == leaf && f->cpuid[i].sub == sub)
			memcpy(out, f->cpuid[i].r, sizeof(f->cpuid[i].r));
	}
}

static u64 read_cr(struct lkx_hw *hw, unsigned int cr)
{
	struct fake *f = fake_of(hw);

	return cr == 0 ? f->cr0 : cr == 2 ? f->cr2 : cr == 3 ? f->cr3 : f->cr4;
}

static void write_cr2(struct lkx_hw *hw, u64 value)
{
	fake_of(hw)->cr2 = value;
}

static u64 xgetbv(struct lkx_hw *hw)
{
	return fake_of(hw)->xcr0;
}

static void xsetbv(struct lkx_hw *hw, u64 value)
{
	fake_of(hw)->xcr0 = value;
}

static void load_debug_registers(struct lkx_hw *hw, const u64 dr[4], u64 dr6)
{
	struct fake *f = fake_of(hw);

	memcpy(f->dr, dr, sizeof(f->dr));
	f->dr6 = dr6;
}

static u64 save_dr6(struct lkx_hw *hw)
{
	return fake_of(hw)->dr6;
}

static void restore_host_debug_registers(struct lkx_hw *hw)
{
	fake_of(hw)->debug_restored = true;
}

static void read_host_state(struct lkx_hw *hw, struct hw_host_state *h)
{
	memset(h, 0, sizeof(*h));
}

const struct hw_ops fake_processor = {
	.vmxon = address_succeeds,
	.vmxoff = vmxoff,
	.vmclear = address_succeeds,
	.vmptrld = address_succeeds,
	.vmread = vmread,
	.vmwrite = vmwrite,
	.invept = invept,
	.invvpid = invvpid,
	.enter_guest = enter_guest,
	.rdmsr = rdmsr,
	.wrmsr = wrmsr,
	.rdtsc = rdtsc,
	.cpuid = cpuid,
	.read_cr = read_cr,
	.write_cr2 = write_cr2,
	.xgetbv = xgetbv,
	.xsetbv = xsetbv,
	.load_debug_registers = load_debug_registers,
	.save_dr6 = save_dr6,
	.restore_host_debug_registers = restore_host_debug_registers,
	.read_host_state = read_host_state,
};
