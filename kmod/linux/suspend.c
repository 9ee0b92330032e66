// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Suspend and resume of the last CPU. The kernels differ in how they ask for it. */
#include "compat.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)

static int suspend(void *unused)
{
	return lkx_syscore_suspend();
}

static void resume(void *unused)
{
	lkx_syscore_resume();
}

static const struct syscore_ops ops = { .suspend = suspend, .resume = resume };
static struct syscore syscore = { .ops = &ops };

void lkx_register_syscore(void)
{
	register_syscore(&syscore);
}

void lkx_unregister_syscore(void)
{
	unregister_syscore(&syscore);
}

#else

static struct syscore_ops ops = { .suspend = lkx_syscore_suspend, .resume = lkx_syscore_resume };

void lkx_register_syscore(void)
{
	register_syscore_ops(&ops);
}

void lkx_unregister_syscore(void)
{
	unregister_syscore_ops(&ops);
}

#endif
