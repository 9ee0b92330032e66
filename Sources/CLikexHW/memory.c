// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Pages and objects from the C library, counted, and failing when a test says so.
#include "plat.h"
#include <stdlib.h>

static bool may_allocate(struct lkx_hw *hw)
{
	s64 left = __atomic_load_n(&hw->allocations_left, __ATOMIC_RELAXED);

	if (left == 0)
		return false;
	if (left > 0)
		__atomic_sub_fetch(&hw->allocations_left, 1, __ATOMIC_RELAXED);
	return true;
}

void *plat_page_alloc(struct lkx_hw *hw)
{
	void *page = may_allocate(hw) ? aligned_alloc(4096, 4096) : NULL;

	if (page) {
		memset(page, 0, 4096);
		plat_add64(&hw->pages, 1);
		if (hw->watch)
			hw->watch->allocated(hw, page);
	}
	return page;
}

void plat_page_free(struct lkx_hw *hw, void *page)
{
	if (page) {
		plat_add64(&hw->pages, -1ull);
		if (hw->watch)
			hw->watch->freed(hw, page);
	}
	free(page);
}

void *plat_alloc(struct lkx_hw *hw, size_t size)
{
	/* As the kernel's: of a power of two up to a page it is aligned to that. */
	bool power = size >= 16 && size <= 4096 && !(size & (size - 1));
	void *p = !may_allocate(hw) ? NULL : power ? aligned_alloc(size, size) : malloc(size);

	if (p) {
		memset(p, 0, size);
		plat_add64(&hw->objects, 1);
	}
	return p;
}

void plat_free(struct lkx_hw *hw, void *p)
{
	if (p)
		plat_add64(&hw->objects, -1ull);
	free(p);
}
