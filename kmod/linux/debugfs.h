/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* /sys/kernel/debug/likex/ept, and the list of all VMs that it is read from. */
#ifndef LKX_LINUX_DEBUGFS_H
#define LKX_LINUX_DEBUGFS_H

#include "likex.h"

void lkx_debugfs_init(void);
/* Module exit: the file goes. Nobody has it open: who has holds the module. */
void lkx_debugfs_exit(void);

/*
 * A VM with its EPT, from its creation to its end, under a number of its own that is not used again soon: 0, or -ENOMEM or -EBUSY. Neither
 * call waits for readers: they find VMs under RCU and keep none alive, so a VM that was added is to be freed by RCU.
 */
int lkx_debugfs_add(struct linux_vm *vm);
void lkx_debugfs_remove(struct linux_vm *vm);
/* The first VM of number *id or more, whose number *id becomes; NULL: there is none. Under RCU. */
struct linux_vm *lkx_debugfs_find(unsigned long *id);

#endif
