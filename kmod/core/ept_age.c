// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What a guest has touched lately, by the accessed bits that the processor sets. SDM vol. 3, "Accessed and Dirty Flags for EPT". */
#include "ept_iter.h"
#include "vm.h"

/* The processor may set bits in it meanwhile. */
static void forget(struct lkx_hw *hw, u64 *entry, u64 e)
{
	u64 seen = plat_entry_cmpxchg(hw, entry, e, e & ~EPT_ACCESSED);

	while (seen != e) {
		e = seen;
		seen = plat_entry_cmpxchg(hw, entry, e, e & ~EPT_ACCESSED);
	}
}

bool lkx_ept_age(struct lkx_vm *vm, u64 gfn, u64 end, bool clear)
{
	bool has_bits = vm->ept.eptp & EPTP_ACCESS_DIRTY, young = false;
	struct ept_iter it;

	end = min(end, vm->ept.max_gfn + 1);
	if (!vm->ept.root || gfn >= end)
		return false;
	ept_iter_start(&it, vm->hw, vm->ept.root, gfn);
	for (;;) {
		u64 e = plat_load64(it.entry);

		if (ept_present(e) && !ept_leaf(e, it.level)) {
			ept_iter_down(&it, e, gfn);
			continue;
		}
		if (ept_present(e) && (!has_bits || (e & EPT_ACCESSED))) {
			young = true;
			if (clear && has_bits)
				forget(vm->hw, it.entry, e);
		}
		while (it.gfn + ept_span(it.level) >= end || !ept_iter_right(&it))
			if (!ept_iter_up(&it))
				return young;
	}
}
