/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* LIKEX_CREATE, the parts that are the same wherever the core runs. <uapi/likex.h> has its contract. */
#ifndef LKX_CREATE_H
#define LKX_CREATE_H

#include "vcpu.h"

/* The smallest and the largest `size` that the struct may claim. */
#define LKX_CREATE_MIN_SIZE sizeof(struct likex_create)
#define LKX_CREATE_MAX_SIZE LKX_PAGE_BYTES

/* Before it is read: 0, -EINVAL, -E2BIG. */
int lkx_create_check_size(u32 size);
/* All that can be said of it without a VM: 0 or -EINVAL. */
int lkx_create_check(const struct likex_create *c);
/* The registers of a new vCPU, whose VMCS is current, whose slots and CPUID are there: 0 or -EINVAL. */
int lkx_create_registers(struct lkx_vcpu *v, const struct likex_create *c);

#endif
