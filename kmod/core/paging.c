// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "paging.h"

#define CR3_ADDRESS_32 0xfffff000ull
#define LARGE_LOW_BITS(bits) GENMASK_ULL((bits) - 1, 13) /* below a large page's address; bit 12 is its PAT */

static void read_32_bit(struct lkx_vcpu *v, u64 cr4, struct lkx_paging *p)
{
	p->levels = 2;
	p->entry_bytes = 4;
	p->index_bits = 10;
	p->root = vmcs_readn(v->hw, GUEST_CR3) & CR3_ADDRESS_32;
	if (cr4 & CR4_PSE) {
		p->large_levels = BIT(2);
		p->large_reserved[2] = BIT_ULL(21); /* PSE-36: bits 20:13 are bits 39:32 of the address */
	}
}

static void read_pae(struct lkx_vcpu *v, u64 gla, u64 reserved, struct lkx_paging *p)
{
	/* The processor loaded the four pointers with CR3 and uses these registers, not the table in memory. */
	u64 pdpte = hw_vmread(v->hw, VMCS_GUEST_PDPTE0 + 2 * ((gla >> 30) & 3));

	p->levels = 2;
	p->entry_bytes = 8;
	p->index_bits = 9;
	p->pae = true;
	p->pdpte_present = pdpte & PTE_PRESENT;
	p->root = pdpte & PTE_ADDRESS;
	/* Unlike in 64-bit paging nothing above the address is ignored. */
	reserved |= GENMASK_ULL(62, 52);
	p->reserved[1] = p->reserved[2] = reserved;
	p->large_levels = BIT(2);
	p->large_reserved[2] = reserved | LARGE_LOW_BITS(21);
}

static void read_4_level(struct lkx_vcpu *v, u64 reserved, bool pages_1gb, struct lkx_paging *p)
{
	p->levels = 4;
	p->entry_bytes = 8;
	p->index_bits = 9;
	p->root = vmcs_readn(v->hw, GUEST_CR3) & PTE_ADDRESS;
	p->reserved[1] = p->reserved[2] = reserved;
	p->reserved[3] = reserved | (pages_1gb ? 0 : PTE_LARGE);
	p->reserved[4] = reserved | PTE_LARGE;
	p->large_levels = BIT(2) | (pages_1gb ? BIT(3) : 0);
	p->large_reserved[2] = reserved | LARGE_LOW_BITS(21);
	p->large_reserved[3] = reserved | LARGE_LOW_BITS(30);
}

void lkx_paging_read(struct lkx_vcpu *v, u64 gla, struct lkx_paging *p)
{
	/* The guest runs on the host's own page walker: the processor's widths count, not what CPUID tells the guest. */
	const struct lkx_vmx_caps *caps = v->vm->caps;
	u64 cr0 = lkx_cr0(v), cr4 = lkx_cr4(v), reserved = 0;

	*p = (struct lkx_paging){
		.wp = cr0 & CR0_WP,
		.smep = cr4 & CR4_SMEP,
		.smap = cr4 & CR4_SMAP,
		.nx = (cr4 & CR4_PAE) && (v->efer & EFER_NXE_BIT),
		.ac = lkx_rflags(v) & RFLAGS_AC,
	};
	if (!(cr0 & CR0_PG))
		return;
	if (!(cr4 & CR4_PAE)) {
		read_32_bit(v, cr4, p);
		return;
	}
	if (caps->physical_bits < 52)
		reserved = GENMASK_ULL(51, caps->physical_bits);
	if (!p->nx)
		reserved |= PTE_NX;
	if (lkx_long_mode(v))
		read_4_level(v, reserved, caps->pages_1gb, p);
	else
		read_pae(v, gla, reserved, p);
}
