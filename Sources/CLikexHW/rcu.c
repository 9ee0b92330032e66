// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Readers are counted; what was replaced is freed when the count is zero. A steady overlap of readers
// delays that without end, which is fine for tests and simulation: they stop.
#include "plat.h"

/* Called with rcu_lock held; gives back what is to be freed after it. */
static struct plat_rcu_head *take_if_quiet(struct lkx_hw *hw)
{
	struct plat_rcu_head *list = NULL;

	if (!hw->rcu_readers) {
		list = hw->rcu_deferred;
		hw->rcu_deferred = NULL;
	}
	return list;
}

static void free_all(struct lkx_hw *hw, struct plat_rcu_head *list)
{
	while (list) {
		struct plat_rcu_head *next = list->next;

		plat_free(hw, list);
		list = next;
	}
}

void plat_rcu_defer(struct lkx_hw *hw, struct plat_rcu_head *head)
{
	plat_spin_lock(hw, &hw->rcu_lock);
	head->next = hw->rcu_deferred;
	hw->rcu_deferred = head;
	head = take_if_quiet(hw);
	plat_spin_unlock(hw, &hw->rcu_lock);
	free_all(hw, head);
}

void plat_rcu_lock(struct lkx_hw *hw)
{
	plat_spin_lock(hw, &hw->rcu_lock);
	hw->rcu_readers++;
	plat_spin_unlock(hw, &hw->rcu_lock);
}

void plat_rcu_unlock(struct lkx_hw *hw)
{
	struct plat_rcu_head *list;

	plat_spin_lock(hw, &hw->rcu_lock);
	hw->rcu_readers--;
	list = take_if_quiet(hw);
	plat_spin_unlock(hw, &hw->rcu_lock);
	free_all(hw, list);
}
