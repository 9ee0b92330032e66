/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef LKX_LINUX_SHRINKER_H
#define LKX_LINUX_SHRINKER_H

/* Module load and exit: offers the VMs' page tables to the host when it lacks memory. 0 or -errno. */
int lkx_shrinker_init(void);
void lkx_shrinker_exit(void);

#endif
