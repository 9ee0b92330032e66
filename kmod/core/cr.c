// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "cr.h"
#include "cpuid.h"
#include "lapic.h"
#include "guest_memory.h"

/*
 * CR0: bits whose change has to be seen here belong to the host (PE and PG switch modes; NE is fixed for
 * VMX; CD and NW never reach the processor, or a guest could run the host's memory uncached).
 */
#define CR0_GUEST_OWNED (CR0_TS | CR0_MP | CR0_EM | CR0_WP | CR0_AM)
#define CR0_DEFINED \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

/* CR4 bits that mean nothing to us and that every processor with VMX has. */
#define CR4_GUEST_OWNED (CR4_PVI | CR4_TSD | CR4_DE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT)
/* Bits of CR4 that are there whatever CPUID says. */
#define CR4_ALWAYS \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT)

#define AR_TYPE 0xfu
#define AR_TYPE_BUSY_TSS 0xbu
#define CS_AR_LONG BIT(13)

bool lkx_cr0_valid(u64 value)
{
	if (value >> 32)
		return false;
	if ((value & CR0_NW) && !(value & CR0_CD))
		return false;
	return !(value & CR0_PG) || (value & CR0_PE);
}

bool lkx_cr4_valid(struct lkx_vcpu *v, u64 value)
{
	return !(value & ~v->cr4_guest_allowed);
}

bool lkx_efer_valid(struct lkx_vcpu *v, u64 value)
{
	u64 allowed = EFER_LMA_BIT;

	if (lkx_cpuid_has(v, 0x80000001, LEAF_EDX, 11))
		allowed |= EFER_SCE_BIT;
	if (lkx_cpuid_has(v, 0x80000001, LEAF_EDX, 29))
		allowed |= EFER_LME_BIT;
	if (lkx_cpuid_has(v, 0x80000001, LEAF_EDX, 20))
		allowed |= EFER_NXE_BIT;
	return !(value & ~allowed);
}

bool lkx_pae_paging(struct lkx_vcpu *v)
{
	return (lkx_cr0(v) & CR0_PG) && (lkx_cr4(v) & CR4_PAE) && !lkx_long_mode(v);
}

bool lkx_pdptes_load(struct lkx_vcpu *v, u64 cr3)
{
	/* Bits 2:1, 8:5 and those above the physical width are reserved. SDM vol. 3, table 4-8. */
	const u64 reserved = 0x1e6ull | ~((1ull << lkx_cpuid_physical_bits(v)) - 1);
	u64 pdpte[4];
	unsigned int i;

	if (lkx_gpa_read(v->vm, cr3 & 0xffffffe0, pdpte, sizeof(pdpte)))
		return true;
	for (i = 0; i < 4; i++)
		if ((pdpte[i] & 1) && (pdpte[i] & reserved))
			return true;
	vmcs_write64(v->hw, GUEST_PDPTE0, pdpte[0]);
	vmcs_write64(v->hw, GUEST_PDPTE1, pdpte[1]);
	vmcs_write64(v->hw, GUEST_PDPTE2, pdpte[2]);
	vmcs_write64(v->hw, GUEST_PDPTE3, pdpte[3]);
	return false;
}

void lkx_efer_load(struct lkx_vcpu *v, u64 value)
{
	u32 entry = v->vm->caps->entry;

	/* SYSCALL's MSRs have to be the guest's only while it may use them. */
	if ((v->efer ^ value) & EFER_SCE_BIT)
		v->cpu_msrs_changed = true;
	v->efer = value;
	vmcs_write64(v->hw, GUEST_IA32_EFER, value);
	if (value & EFER_LMA_BIT)
		entry |= CTRL(ENTRY, IA32E_MODE_GUEST);
	vmcs_write32(v->hw, ENTRY_CONTROLS, entry);
}

void lkx_cr0_load(struct lkx_vcpu *v, u64 value)
{
	value |= CR0_ET;
	vmcs_writen(v->hw, CR0_READ_SHADOW, value);
	vmcs_writen(v->hw, GUEST_CR0, (value & ~(CR0_CD | CR0_NW)) | v->vm->caps->cr0_must);
}

void lkx_cr4_load(struct lkx_vcpu *v, u64 value)
{
	/* MCE stays as the host has it: with it off a machine check in the guest would reset the machine. */
	u64 host_mce = hw_read_cr4(v->hw) & CR4_MCE;

	v->osxsave = value & CR4_OSXSAVE;
	vmcs_writen(v->hw, CR4_READ_SHADOW, value);
	vmcs_writen(v->hw, GUEST_CR4, (value & ~CR4_MCE) | host_mce | v->vm->caps->cr4_fixed0);
}

/* The processor only knows long mode with a busy 64-bit TSS; guests may enter it before they load TR. */
static void long_mode_changed(struct lkx_vcpu *v, bool on)
{
	if (on) {
		u32 ar = vmcs_read32(v->hw, GUEST_TR_ACCESS_RIGHTS);

		if ((ar & AR_TYPE) != AR_TYPE_BUSY_TSS)
			vmcs_write32(v->hw, GUEST_TR_ACCESS_RIGHTS, (ar & ~AR_TYPE) | AR_TYPE_BUSY_TSS);
	}
	lkx_efer_load(v, on ? v->efer | EFER_LMA_BIT : v->efer & ~EFER_LMA_BIT);
}

bool lkx_cr0_set(struct lkx_vcpu *v, u64 value)
{
	u64 old = lkx_cr0(v), cr4 = lkx_cr4(v);
	bool paging_on = (value & CR0_PG) && !(old & CR0_PG);
	bool paging_off = !(value & CR0_PG) && (old & CR0_PG);

	if (!lkx_cr0_valid(value))
		return true;
	value &= CR0_DEFINED;
	if (paging_on && (v->efer & EFER_LME_BIT)) {
		if (!(cr4 & CR4_PAE) || (vmcs_read32(v->hw, GUEST_CS_ACCESS_RIGHTS) & CS_AR_LONG))
			return true;
	} else if (paging_on && (cr4 & CR4_PAE)) {
		if (lkx_pdptes_load(v, vmcs_readn(v->hw, GUEST_CR3)))
			return true;
	}
	if (paging_off && (lkx_is_64bit(v) || (cr4 & CR4_PCIDE)))
		return true;

	if (paging_on && (v->efer & EFER_LME_BIT))
		long_mode_changed(v, true);
	else if (paging_off && lkx_long_mode(v))
		long_mode_changed(v, false);
	lkx_cr0_load(v, value);
	if ((old ^ value) & (CR0_PG | CR0_PE))
		v->tlb_generation = LKX_TLB_STALE;
	return false;
}

bool lkx_cr3_set(struct lkx_vcpu *v, u64 value)
{
	bool keep = false;

	if (lkx_long_mode(v)) {
		if (lkx_cr4(v) & CR4_PCIDE) {
			keep = value >> 63;
			value &= ~BIT_ULL(63);
		}
		if (value >> lkx_cpuid_physical_bits(v))
			return true;
	} else if (lkx_pae_paging(v) && lkx_pdptes_load(v, value)) {
		return true;
	}
	vmcs_writen(v->hw, GUEST_CR3, value);
	if (!keep)
		v->tlb_generation = LKX_TLB_STALE;
	return false;
}

bool lkx_cr4_set(struct lkx_vcpu *v, u64 value)
{
	u64 old = lkx_cr4(v), change = old ^ value;

	if (!lkx_cr4_valid(v, value))
		return true;
	if (lkx_long_mode(v)) {
		if (!(value & CR4_PAE) || (change & CR4_LA57))
			return true;
		if ((change & value & CR4_PCIDE) && (vmcs_readn(v->hw, GUEST_CR3) & 0xfff))
			return true;
	} else {
		if (change & value & CR4_PCIDE)
			return true;
		if ((lkx_cr0(v) & CR0_PG) && (value & CR4_PAE) &&
		    (change & (CR4_PGE | CR4_PSE | CR4_PAE | CR4_SMEP)) &&
		    lkx_pdptes_load(v, vmcs_readn(v->hw, GUEST_CR3)))
			return true;
	}
	lkx_cr4_load(v, value);
	if (change & (CR4_PGE | CR4_PSE | CR4_PAE | CR4_SMEP | CR4_SMAP | CR4_PCIDE))
		v->tlb_generation = LKX_TLB_STALE;
	return false;
}

bool lkx_cr8_set(struct lkx_vcpu *v, u64 value)
{
	if (value & ~0xfull)
		return true;
	if (v->lapic)
		lkx_lapic_set_tpr(v, value << 4);
	else
		v->cr8 = value;
	return false;
}

bool lkx_efer_set(struct lkx_vcpu *v, u64 value, bool by_guest)
{
	if (!lkx_efer_valid(v, value))
		return true;
	if (by_guest && ((v->efer ^ value) & EFER_LME_BIT) && (lkx_cr0(v) & CR0_PG))
		return true;
	/* LMA follows CR0.PG, not WRMSR. */
	value = (value & ~EFER_LMA_BIT) | (v->efer & EFER_LMA_BIT);
	if ((v->efer ^ value) & EFER_NXE_BIT)
		v->tlb_generation = LKX_TLB_STALE;
	lkx_efer_load(v, value);
	return false;
}

bool lkx_xcr0_set(struct lkx_vcpu *v, u64 value)
{
	/* SDM vol. 1, 13.3: x87 always; AVX with SSE; the three of AVX-512 together, on AVX. */
	if (!(value & XCR0_X87) || (value & ~v->guest_xcr0_allowed))
		return true;
	if ((value & XCR0_AVX) && !(value & XCR0_SSE))
		return true;
	if ((value & XCR0_AVX512) && ((value & XCR0_AVX512) != XCR0_AVX512 || !(value & XCR0_AVX)))
		return true;
	v->xcr0 = value;
	return false;
}

void lkx_cr_cpuid_changed(struct lkx_vcpu *v)
{
	static const struct {
		u32 leaf;
		enum lkx_cpuid_register reg;
		u8 bit;
		u64 cr4;
	} optional[] = {
		{ 1, LEAF_ECX, 26, CR4_OSXSAVE },    { 1, LEAF_ECX, 17, CR4_PCIDE },
		{ 7, LEAF_EBX, 0, CR4_FSGSBASE },    { 7, LEAF_EBX, 7, CR4_SMEP },
		{ 7, LEAF_EBX, 20, CR4_SMAP },       { 7, LEAF_ECX, 2, CR4_UMIP },
	};
	u64 allowed = CR4_ALWAYS, owned;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(optional); i++)
		if (lkx_cpuid_has(v, optional[i].leaf, optional[i].reg, optional[i].bit))
			allowed |= optional[i].cr4;
	/* Its XCR0 is switched by instructions that a host without XSAVE does not have. */
	if (!(hw_read_cr4(v->hw) & CR4_OSXSAVE))
		allowed &= ~CR4_OSXSAVE;
	/* VMXE is the host's; what the processor does not have cannot be given. */
	v->cr4_guest_allowed = allowed & v->vm->caps->cr4_fixed1;
	v->guest_xcr0_allowed = lkx_cpuid_xcr0(v) & plat_guest_xcr0(v->hw) & XCR0_SUPPORTED;

	owned = CR4_GUEST_OWNED & v->cr4_guest_allowed;
	vmcs_writen(v->hw, CR0_GUEST_HOST_MASK, ~CR0_GUEST_OWNED);
	vmcs_writen(v->hw, CR4_GUEST_HOST_MASK, ~owned);
}
