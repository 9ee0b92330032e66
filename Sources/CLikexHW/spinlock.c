// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A lock that yields the thread while another holds it.
#include "plat.h"
#include <sched.h>

void plat_spin_lock(struct lkx_hw *hw, struct plat_spinlock *l)
{
	(void)hw;
	while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

void plat_spin_unlock(struct lkx_hw *hw, struct plat_spinlock *l)
{
	__atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE);
	if (hw->watch)
		hw->watch->unlocked(hw, l);
}
