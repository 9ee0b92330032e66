// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "pml.h"
#include "dirty.h"
#include "exits.h"

#define LAST (LKX_PML_ENTRIES - 1)

/* With ept.lock held, or of a new vCPU. */
static void begin(struct lkx_vcpu *v)
{
	v->pml_noted = v->pml_read = LKX_PML_ENTRIES;
	vmcs_write16(v->hw, PML_INDEX, LAST);
}

int lkx_pml_create(struct lkx_vcpu *v)
{
	v->pml = plat_page_alloc(v->hw);
	if (!v->pml)
		return -ENOMEM;
	v->after_exit = LKX_AFTER_PML;
	vmcs_write64(v->hw, PML_ADDRESS, plat_phys(v->hw, v->pml));
	begin(v);
	return 0;
}

void lkx_pml_note(struct lkx_vcpu *v)
{
	u16 index = vmcs_read16(v->hw, PML_INDEX);

	/* The next entry's; behind the one at 0 it is 0xffff. */
	plat_store32_release(&v->pml_noted, index > LAST ? 0 : index + 1);
}

/* What the processor is done with goes into the logs. Where that is the whole page, and v is the caller's own, the processor can begin again. */
static void read_entries(struct lkx_vcpu *v, bool full)
{
	struct plat_spinlock *lock = &v->vm->ept.lock;
	u32 noted;

	plat_spin_lock(v->hw, lock);
	noted = plat_load32_acquire(&v->pml_noted);
	while (v->pml_read > noted)
		lkx_dirty_set(v->vm, plat_load64(&v->pml[--v->pml_read]) >> LKX_PAGE_SHIFT);
	if (full)
		begin(v);
	plat_spin_unlock(v->hw, lock);
}

/* The access has not happened: it comes again, and there is room for its entry. */
int lkx_exit_pml_full(struct lkx_vcpu *v)
{
	if (!v->pml)
		return lkx_exit_unexpected(v);
	lkx_reblock_nmis(v);
	read_entries(v, true);
	return 1;
}

void lkx_pml_read(struct lkx_vm *vm)
{
	u32 count = lkx_vm_vcpus(vm), i;

	if (!vm->caps->pml)
		return;
	plat_kick_guests(vm);
	for (i = 0; i < count; i++)
		read_entries(vm->vcpu[i], false);
}
