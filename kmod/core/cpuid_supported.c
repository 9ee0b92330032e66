// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The CPUID that this module can give: the processor's, less what it does not virtualize. */
#include "cpuid.h"
#include "pv.h"

#define B(n) BIT(n)

/* Leaf 1: SSE3 PCLMULQDQ SSSE3 FMA CMPXCHG16B PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND */
#define LEAF1_ECX \
	(B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) | B(22) | B(23) | B(25) | B(26) | B(28) | B(29) | B(30))
#define LEAF6_EAX_ARAT BIT(2)
#define LEAF1_ECX_XSAVE B(26)
#define LEAF1_ECX_HYPERVISOR B(31)
#define LEAF1_ECX_X2APIC B(21)
#define LEAF1_ECX_AVX_FAMILY (B(12) | B(28) | B(29))
/* FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 SS */
#define LEAF1_EDX                                                                                                    \
	(B(0) | B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(7) | B(8) | B(9) | B(11) | B(12) | B(13) | B(14) | B(15) | \
	 B(16) | B(17) | B(19) | B(23) | B(24) | B(25) | B(26) | B(27))
/* Leaf 7: FSGSBASE TSC_ADJUST BMI1 AVX2 SMEP BMI2 ERMS INVPCID RDSEED ADX SMAP CLFLUSHOPT CLWB SHA */
#define LEAF7_EBX_FSGSBASE B(0)
#define LEAF7_EBX_AVX2 B(5)
#define LEAF7_EBX_INVPCID B(10)
#define LEAF7_EBX \
	(B(0) | B(1) | B(3) | B(5) | B(7) | B(8) | B(9) | B(10) | B(18) | B(19) | B(20) | B(23) | B(24) | B(29))
#define LEAF7_EBX_AVX512 (B(16) | B(17) | B(21) | B(26) | B(27) | B(28) | B(30) | B(31))
/* UMIP VAES VPCLMULQDQ RDPID */
#define LEAF7_ECX_RDPID B(22)
#define LEAF7_ECX_AVX (B(9) | B(10))
#define LEAF7_ECX (B(2) | B(9) | B(10) | B(22))
#define LEAF7_ECX_AVX512 (B(1) | B(6) | B(11) | B(12) | B(14))
/* FSRM MD_CLEAR */
#define LEAF7_EDX (B(4) | B(10))
/* Leaf 0xd.1: XSAVEOPT XSAVEC XGETBV(1) */
#define LEAFD1_EAX (B(0) | B(1) | B(2))
/* 0x80000001: LAHF ABM PREFETCHW; SYSCALL NX 1GB-pages RDTSCP LM */
#define EXT1_ECX (B(0) | B(5) | B(8))
#define EXT1_EDX_RDTSCP B(27)
#define EXT1_EDX (B(11) | B(20) | B(26) | B(27) | B(29))

struct list {
	struct kvm_cpuid_entry2 *entry;
	u32 count, max;
};

static struct kvm_cpuid_entry2 *add(struct lkx_hw *hw, struct list *l, u32 leaf, u32 index, bool indexed)
{
	struct kvm_cpuid_entry2 *e;
	u32 out[4];

	if (l->count == l->max)
		return NULL;
	hw_cpuid(hw, leaf, index, out);
	plat_cpuid_limit(hw, leaf, index, out);
	e = &l->entry[l->count++];
	*e = (struct kvm_cpuid_entry2){
		.function = leaf,
		.index = index,
		.flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = out[0],
		.ebx = out[1],
		.ecx = out[2],
		.edx = out[3],
	};
	return e;
}

static void keep(struct kvm_cpuid_entry2 *e, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	e->eax &= eax;
	e->ebx &= ebx;
	e->ecx &= ecx;
	e->edx &= edx;
}

static bool add_features(struct lkx_hw *hw, const struct lkx_vmx_caps *caps, struct list *l, u64 xcr0, u32 max_leaf)
{
	struct kvm_cpuid_entry2 *e = add(hw, l, 1, 0, false);
	u32 ebx = LEAF7_EBX, ecx = LEAF7_ECX, ecx1 = LEAF1_ECX;

	if (!e)
		return false;
	if (!(hw_read_cr4(hw) & CR4_OSXSAVE))
		ecx1 &= ~LEAF1_ECX_XSAVE;
	if (!(xcr0 & XCR0_AVX))
		ecx1 &= ~LEAF1_ECX_AVX_FAMILY;
	keep(e, ~0u, 0x0000ff00, ecx1, LEAF1_EDX); /* no APIC ID, no logical processor count: the VMM's to say */
	/* An x2APIC needs nothing of the processor's, only a local APIC in the kernel: the VMM's to take away where there is none. */
	e->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_X2APIC;
	if (max_leaf < 7)
		return true;
	e = add(hw, l, 7, 0, true);
	if (!e)
		return false;
	if (!(xcr0 & XCR0_AVX)) {
		ebx &= ~LEAF7_EBX_AVX2;
		ecx &= ~LEAF7_ECX_AVX;
	}
	if ((xcr0 & XCR0_AVX512) == XCR0_AVX512) {
		ebx |= LEAF7_EBX_AVX512;
		ecx |= LEAF7_ECX_AVX512;
	}
	if (!caps->invpcid)
		ebx &= ~LEAF7_EBX_INVPCID;
	if (!caps->rdtscp)
		ecx &= ~LEAF7_ECX_RDPID;
	keep(e, 0, ebx, ecx, LEAF7_EDX); /* no sub-leaves */
	/* A bit of CR4 that VMX operation does not allow cannot be announced. */
	if (!(caps->cr4_fixed1 & CR4_FSGSBASE))
		e->ebx &= ~LEAF7_EBX_FSGSBASE;
	return true;
}

static bool add_xsave(struct lkx_hw *hw, struct list *l, u64 xcr0)
{
	struct kvm_cpuid_entry2 *e = add(hw, l, 0xd, 0, true);
	unsigned int i;
	u32 bytes = 576;

	if (!e)
		return false;
	e->eax = (u32)xcr0;
	e->edx = (u32)(xcr0 >> 32);
	for (i = 2; i < 63; i++) {
		struct kvm_cpuid_entry2 *sub;

		if (i == 2) {
			sub = add(hw, l, 0xd, 1, true);
			if (!sub)
				return false;
			keep(sub, LEAFD1_EAX, 0, 0, 0);
		}
		if (!(xcr0 & BIT_ULL(i)))
			continue;
		sub = add(hw, l, 0xd, i, true);
		if (!sub)
			return false;
		keep(sub, ~0u, ~0u, BIT(1), 0);
		bytes = max(bytes, sub->eax + sub->ebx);
	}
	e->ebx = e->ecx = bytes;
	return true;
}

static bool add_caches(struct lkx_hw *hw, struct list *l)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		struct kvm_cpuid_entry2 *e = add(hw, l, 4, i, true);

		if (!e)
			return false;
		if (!(e->eax & 0x1f)) /* no more caches; the entry says so */
			break;
		e->eax &= 0x3ff; /* sharing and core counts are the VMM's to say */
	}
	return true;
}

static bool add_extended(struct lkx_hw *hw, const struct lkx_vmx_caps *caps, struct list *l)
{
	struct kvm_cpuid_entry2 *e = add(hw, l, 0x80000000, 0, false);
	u32 leaf, last;

	if (!e)
		return false;
	last = e->eax = min_t(u32, e->eax, 0x80000008);
	for (leaf = 0x80000001; leaf <= last; leaf++) {
		if (leaf == 0x80000005)
			continue; /* reserved on Intel */
		e = add(hw, l, leaf, 0, false);
		if (!e)
			return false;
		if (leaf == 0x80000001) {
			keep(e, 0, 0, EXT1_ECX, caps->rdtscp ? EXT1_EDX : EXT1_EDX & ~EXT1_EDX_RDTSCP);
		} else if (leaf == 0x80000007) {
			keep(e, 0, 0, 0, BIT(8)); /* invariant TSC */
		} else if (leaf == 0x80000008) {
			/* Four levels of EPT reach 48 bits. */
			e->eax = min_t(u32, e->eax & 0xff, 48) | 48 << 8;
			keep(e, ~0u, 0, 0, 0);
		}
	}
	return true;
}

/* How a guest knows that it is KVM's interface it finds, and how much of it. */
static bool add_pv(struct lkx_hw *hw, struct list *l)
{
	static const u32 signature[3] = { 0x4b4d564b, 0x564b4d56, 0x4d }; /* "KVMKVMKVM" */
	struct kvm_cpuid_entry2 *e = add(hw, l, LKX_PV_LEAF, 0, false);

	if (!e)
		return false;
	e->eax = LKX_PV_LEAF + 1;
	e->ebx = signature[0];
	e->ecx = signature[1];
	e->edx = signature[2];
	e = add(hw, l, LKX_PV_LEAF + 1, 0, false);
	if (!e)
		return false;
	keep(e, 0, 0, 0, 0);
	e->eax = lkx_pv_features(hw);
	return true;
}

int lkx_cpuid_supported(struct lkx_hw *hw, const struct lkx_vmx_caps *caps, struct kvm_cpuid_entry2 *entry, u32 max)
{
	struct list l = { entry, 0, max };
	u64 xcr0 = plat_guest_xcr0(hw) & XCR0_SUPPORTED;
	struct kvm_cpuid_entry2 *e = add(hw, &l, 0, 0, false);
	u32 max_leaf;

	if (!e)
		return -E2BIG;
	max_leaf = e->eax = min_t(u32, e->eax, 0xd);
	if (!add_features(hw, caps, &l, xcr0, max_leaf))
		return -E2BIG;
	if (max_leaf >= 4 && !add_caches(hw, &l))
		return -E2BIG;
	if (max_leaf >= 6) {
		e = add(hw, &l, 6, 0, false);
		if (!e)
			return -E2BIG;
		keep(e, 0, 0, 0, 0);
		/* A local APIC's timer stops for no sleep of its vCPU. Without that Linux keeps to ticks: it has no timer finer than 4 ms. */
		e->eax = LEAF6_EAX_ARAT;
	}
	if (max_leaf >= 0xd && (entry[1].ecx & LEAF1_ECX_XSAVE) && !add_xsave(hw, &l, xcr0))
		return -E2BIG;
	if (!add_extended(hw, caps, &l) || !add_pv(hw, &l))
		return -E2BIG;
	return l.count;
}
