// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The VMM's page tables, read as they are: without a fault, a lock or a reference.
 *
 * Interrupts are off meanwhile. The host frees a page table only after each CPU that uses the address space has answered an interrupt, or after
 * a grace period of RCU: this one does neither, so what an entry leads to stays a page table, if perhaps no longer one of the tree.
 * What was read may be old when it is used; plat_mmu_retry finds that out (mm.c).
 */
#include "likex.h"
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

/* What an entry allows is up to its own bits, and to what protection keys let this thread do: the rules of the VMM's own accesses. */
static u64 near_word(u64 pfn, bool writable)
{
	return (pfn << PAGE_SHIFT) | PLAT_NEAR_PRESENT | (writable ? PLAT_NEAR_WRITABLE : 0);
}

/* Special: the zero page, which every write replaces, or no page of the host's memory at all. */
#define TELLING_BITS (_PAGE_PRESENT | _PAGE_USER | _PAGE_SPECIAL | _PAGE_DEVMAP)
#define WRITTEN_BITS (_PAGE_RW | _PAGE_DIRTY)

/*
 * `table` is a copy of the entry that names the table. By the bits themselves: this is done sixteen times a fault, and pte_access_permitted()
 * would take thirty instructions more. It is asked where there are protection keys.
 */
static void near_in_table(pmd_t table, unsigned long address, u32 count, u64 *near)
{
	const pte_t *entry = pte_offset_kernel(&table, address);
	bool keys = cpu_feature_enabled(X86_FEATURE_OSPKE);
	const u64 frame = PTE_PFN_MASK;
	u32 i;

	for (i = 0; i < count; i++) {
		pte_t e = READ_ONCE(entry[i]);
		u64 bits = pte_val(e), word = 0;

		if ((bits & TELLING_BITS) == (_PAGE_PRESENT | _PAGE_USER) && (!keys || pte_access_permitted(e, false))) {
			word = (bits & frame) | PLAT_NEAR_PRESENT;
			if ((bits & WRITTEN_BITS) == WRITTEN_BITS && (!keys || pte_access_permitted(e, true)))
				word |= PLAT_NEAR_WRITABLE;
		}
		near[i] = word;
	}
}

/* Large pages of the host's own memory, whose frames lie one behind the other; not of a device. */
static bool is_own_memory(u64 pfn)
{
	return pfn_valid(pfn) && PageCompound(pfn_to_page(pfn)) && !is_zone_device_page(pfn_to_page(pfn));
}

/* `leaf` is a copy of the entry; `offset`: of the first page in it. True where it is one that a guest may be given. */
static bool near_in_leaf(pmd_t leaf, u32 offset, u32 count, u64 *near)
{
	bool present = pmd_access_permitted(leaf, false) && is_own_memory(pmd_pfn(leaf));
	bool writable = pmd_dirty(leaf) && pmd_access_permitted(leaf, true);
	u32 i;

	for (i = 0; i < count; i++)
		near[i] = present ? near_word(pmd_pfn(leaf) + offset + i, writable) : 0;
	return present;
}

/* The entry of level 2 for the address, or an empty one. Of a page of 1 GiB it is as if the 2 MiB in it had one each, but that *level is 3. */
static pmd_t level_2_entry(struct mm_struct *mm, unsigned long address, int *level)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, address));
	p4d_t p4d;
	pud_t pud;

	if (pgd_none(pgd))
		return __pmd(0);
	p4d = READ_ONCE(*p4d_offset(&pgd, address));
	if (!p4d_present(p4d))
		return __pmd(0);
	pud = READ_ONCE(*pud_offset(&p4d, address));
	if (!pud_present(pud))
		return __pmd(0);
	if (pud_leaf(pud)) {
		*level = 3;
		return __pmd(pud_val(pud) + (address & ~PUD_MASK & PMD_MASK));
	}
	return READ_ONCE(*pmd_offset(&pud, address));
}

int plat_pages_near(struct lkx_vm *vm, u64 hva, u32 count, u64 *near)
{
	struct mm_struct *mm = linux_vm(vm)->mm;
	int level = 1;
	u32 done, n;

	local_irq_disable();
	for (done = 0; done < count; done += n, hva += (u64)n << PAGE_SHIFT) {
		int large = 2;
		pmd_t pmd = level_2_entry(mm, hva, &large);

		level = 1;
		n = min_t(u32, count - done, PTRS_PER_PTE - pte_index(hva));
		if (pmd_leaf(pmd))
			level = near_in_leaf(pmd, pte_index(hva), n, near + done) ? large : 1;
		else if (pmd_present(pmd) && !pmd_bad(pmd))
			near_in_table(pmd, hva, n, near + done);
		else
			memset(near + done, 0, n * sizeof(*near));
	}
	local_irq_enable();
	return level;
}
