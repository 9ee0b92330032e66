// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "cpuid.h"
#include "cr.h"
#include "exits.h"

static const struct kvm_cpuid_entry2 *find(struct lkx_vcpu *v, u32 leaf, u32 index)
{
	u32 i;

	for (i = 0; i < v->cpuid_count; i++) {
		const struct kvm_cpuid_entry2 *e = &v->cpuid[i];

		if (e->function == leaf && (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index))
			return e;
	}
	return NULL;
}

static u32 register_of(const struct kvm_cpuid_entry2 *e, enum lkx_cpuid_register reg)
{
	switch (reg) {
	case LEAF_EAX: return e->eax;
	case LEAF_EBX: return e->ebx;
	case LEAF_ECX: return e->ecx;
	case LEAF_EDX: return e->edx;
	}
	return 0;
}

bool lkx_cpuid_has(struct lkx_vcpu *v, u32 leaf, enum lkx_cpuid_register reg, u8 bit)
{
	const struct kvm_cpuid_entry2 *e = find(v, leaf, 0);

	return e && (register_of(e, reg) & BIT(bit));
}

unsigned int lkx_cpuid_physical_bits(struct lkx_vcpu *v)
{
	const struct kvm_cpuid_entry2 *max = find(v, 0x80000000, 0);
	const struct kvm_cpuid_entry2 *e = find(v, 0x80000008, 0);
	unsigned int bits = max && max->eax >= 0x80000008 && e ? e->eax & 0xff : 36;

	return bits < 32 ? 32 : bits > 52 ? 52 : bits;
}

u64 lkx_cpuid_xcr0(struct lkx_vcpu *v)
{
	const struct kvm_cpuid_entry2 *e = find(v, 0xd, 0);

	return e ? ((u64)e->edx << 32 | e->eax) | XCR0_X87 : XCR0_X87;
}

/* Bytes that XSAVE writes for `features`, in the standard or the compacted form. SDM vol. 1, 13.4. */
static u32 xsave_bytes(struct lkx_hw *hw, u64 features, bool compacted)
{
	u32 bytes = 576, out[4];
	unsigned int i;

	for (i = 2; i < 63; i++) {
		if (!(features & BIT_ULL(i)))
			continue;
		hw_cpuid(hw, 0xd, i, out);
		if (!compacted) {
			bytes = max(bytes, out[0] + out[1]);
		} else {
			if (out[2] & BIT(1)) /* starts on a 64-byte boundary */
				bytes = (bytes + 63) & ~63u;
			bytes += out[0];
		}
	}
	return bytes;
}

/*
 * A leaf that the table does not have. Intel processors answer one beyond the last with the last basic leaf's data;
 * a gap within the range reads as zeros.
 */
static const struct kvm_cpuid_entry2 *beyond_range(struct lkx_vcpu *v, u32 *leaf, u32 index)
{
	const struct kvm_cpuid_entry2 *basic = find(v, 0, 0), *range;

	/* "AuthenticAMD", "HygonGenuine": these answer with zeros. */
	if (!basic || basic->ebx == 0x68747541 || basic->ebx == 0x6f677948)
		return NULL;
	if (*leaf >= 0x40000000 && *leaf <= 0x4fffffff)
		range = find(v, *leaf & 0xffffff00, 0);
	else if (*leaf >= 0xc0000000)
		range = find(v, 0xc0000000, 0);
	else
		range = find(v, *leaf & 0x80000000, 0);
	if (range && *leaf <= range->eax)
		return NULL;
	*leaf = basic->eax;
	return find(v, *leaf, index);
}

/* As find. Guests ask for the same leaf over and over: as a barrier, in loops over sub-leaves, by hypervisor leaves. */
static const struct kvm_cpuid_entry2 *find_again(struct lkx_vcpu *v, u32 leaf, u32 index)
{
	struct lkx_cpuid_last *last = &v->cpuid_last;

	if (!last->entry || last->leaf != leaf || last->index != index)
		*last = (struct lkx_cpuid_last){ leaf, index, find(v, leaf, index) };
	return last->entry;
}

void lkx_cpuid_answer(struct lkx_vcpu *v, u32 leaf, u32 index, u32 out[4])
{
	const struct kvm_cpuid_entry2 *e = find_again(v, leaf, index);

	if (!e)
		e = beyond_range(v, &leaf, index);
	if (!e) {
		memset(out, 0, 4 * sizeof(out[0]));
		/* A topology level that is not there still tells its number and the x2APIC ID. SDM vol. 2, leaf 0BH. */
		if (leaf == 0xb || leaf == 0x1f) {
			e = find(v, leaf, 1);
			if (e) {
				out[2] = index & 0xff;
				out[3] = e->edx;
			}
		}
		return;
	}
	out[0] = e->eax;
	out[1] = e->ebx;
	out[2] = e->ecx;
	out[3] = e->edx;
	/* What follows the guest's state. */
	if (leaf == 1) {
		out[2] &= ~BIT(27);
		if ((lkx_cr4(v) & CR4_OSXSAVE) && (out[2] & BIT(26)))
			out[2] |= BIT(27);
		out[3] &= ~BIT(9);
		if (v->apic_base & BIT_ULL(11))
			out[3] |= BIT(9);
	} else if (leaf == 0xd && index == 0) {
		out[1] = xsave_bytes(v->hw, v->xcr0, false);
	} else if (leaf == 0xd && index == 1 && (out[0] & (BIT(1) | BIT(3)))) {
		out[1] = xsave_bytes(v->hw, v->xcr0, true);
	}
}

int lkx_exit_cpuid(struct lkx_vcpu *v)
{
	u32 out[4];

	lkx_cpuid_answer(v, (u32)v->regs.gpr[RAX], (u32)v->regs.gpr[RCX], out);
	v->regs.gpr[RAX] = out[0];
	v->regs.gpr[RBX] = out[1];
	v->regs.gpr[RCX] = out[2];
	v->regs.gpr[RDX] = out[3];
	lkx_skip_instruction(v);
	return 1;
}

int lkx_cpuid_set(struct lkx_vcpu *v, struct kvm_cpuid_entry2 *table, u32 count)
{
	struct kvm_cpuid_entry2 *old = v->cpuid;
	u32 old_count = v->cpuid_count;
	const struct kvm_cpuid_entry2 *e;
	unsigned int linear_bits;

	/* A running guest has drawn its conclusions: only the same table again is taken. */
	if (v->has_run) {
		if (count != old_count || v->cpuid_default || (count && memcmp(table, old, count * sizeof(*table))))
			return -EINVAL;
		plat_free(v->hw, table);
		return 0;
	}
	v->cpuid = table;
	v->cpuid_count = count;
	v->cpuid_last.entry = NULL;
	e = find(v, 0x80000008, 0);
	linear_bits = e ? (e->eax >> 8) & 0xff : 0;
	if (linear_bits && linear_bits != 48 && linear_bits != 57) {
		v->cpuid = old;
		v->cpuid_count = old_count;
		return -EINVAL;
	}
	v->cpuid_default = false;
	plat_free(v->hw, old);
	lkx_cr_cpuid_changed(v);
	return 0;
}
