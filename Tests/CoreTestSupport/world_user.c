// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The VMM's memory with contents: this program's own, but for its first page. */
#include "world_internal.h"

static bool may_copy(struct lkx_hw *hw, u64 hva)
{
	world_must_be_unlocked(world_of(hw), "a copy of user memory");
	return hva >= 4096;
}

int world_user_read(struct lkx_hw *hw, void *to, u64 hva, size_t len)
{
	if (!may_copy(hw, hva))
		return -EFAULT;
	memcpy(to, (const void *)(uintptr_t)hva, len);
	return 0;
}

int world_user_write(struct lkx_hw *hw, u64 hva, const void *from, size_t len)
{
	if (!may_copy(hw, hva))
		return -EFAULT;
	memcpy((void *)(uintptr_t)hva, from, len);
	return 0;
}

int world_user_cmpxchg(struct lkx_hw *hw, u64 hva, unsigned int size, u64 old, u64 new_value)
{
	u64 now = 0;

	if (!may_copy(hw, hva))
		return -EFAULT;
	memcpy(&now, (const void *)(uintptr_t)hva, size);
	if (now != old)
		return -EAGAIN;
	memcpy((void *)(uintptr_t)hva, &new_value, size);
	return 0;
}
