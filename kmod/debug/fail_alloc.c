// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Debug builds only: /sys/module/likex/parameters/fail_nth counts the module's allocations down, and the one that brings it to 0 fails;
 * .../pages tells how many pages the module has.
 */
#include <linux/atomic.h>
#include <linux/moduleparam.h>

static int fail_nth;
module_param(fail_nth, int, 0600);
MODULE_PARM_DESC(fail_nth, "the n-th allocation from now fails, once; 0 (default): none. Debug builds only");

atomic_t lkx_pages;
module_param_named(pages, lkx_pages.counter, int, 0400);
MODULE_PARM_DESC(pages, "pages of the module's own. Debug builds only");

bool lkx_alloc_fails(void)
{
	int n = READ_ONCE(fail_nth);

	while (n > 0)
		if (try_cmpxchg(&fail_nth, &n, n - 1))
			return n == 1;
	return false;
}
