/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory type range registers. SDM vol. 3, 12.11. They keep what is written, as firmware and kernels look for what the one left to the other;
 * the guest's memory is write-back whatever they say: the EPT's type is that, and ignores PAT.
 */
#ifndef LKX_MTRR_H
#define LKX_MTRR_H

#include "vcpu.h"

/* IA32_MTRRCAP: so many variable ranges, fixed ranges, write-combining. */
#define LKX_MTRR_CAP (LKX_MTRR_RANGES | BIT_ULL(8) | BIT_ULL(10))

/* Where a variable or fixed range's MSR is kept; NULL: it is none. */
u64 *lkx_mtrr(struct lkx_vcpu *v, u32 index);
/* True where it is none, or does not take the value. */
bool lkx_mtrr_set(struct lkx_vcpu *v, u32 index, u64 value);
bool lkx_mtrr_def_type_valid(u64 value);
/* Every byte of IA32_PAT is a memory type, too. */
bool lkx_pat_valid(u64 value);

#endif
