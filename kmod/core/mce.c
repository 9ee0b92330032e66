// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "mce.h"

#define MCG_COUNT 0xffull
#define MCG_EXT_CNT 0xff0000ull
#define MCG_STATUS_MCIP BIT_ULL(2) /* a machine check is being handled: another shuts down */
#define MCI_VAL BIT_ULL(63)
#define MCI_OVER BIT_ULL(62)
#define MCI_UC BIT_ULL(61)
/* Context corrupt, signalled, to be recovered from by action. */
#define MCI_PCC BIT_ULL(57)
#define MCI_S BIT_ULL(56)
#define MCI_AR BIT_ULL(55)
#define BANK_FIRST 0x400u /* IA32_MC0_CTL */
/* Kernels for some processors leave these out of "all errors". */
#define CTL_OPTIONAL (BIT_ULL(0) | BIT_ULL(10))

enum { CTL, STATUS, ADDR, MISC, BANK_WORDS };

int lkx_mce_setup(struct lkx_vcpu *v, u64 cap)
{
	u32 banks = cap & MCG_COUNT, i;

	if (!banks || banks > LKX_MCE_BANKS || (cap & ~(LKX_MCG_CAP | MCG_COUNT | MCG_EXT_CNT)))
		return -EINVAL;
	if (!v->mce)
		v->mce = plat_alloc(v->hw, LKX_MCE_BANKS * BANK_WORDS * sizeof(u64));
	if (!v->mce)
		return -ENOMEM;
	v->mcg_cap = cap;
	v->mcg_ctl = cap & MCG_CTL_P ? ~0ull : 0;
	for (i = 0; i < banks; i++)
		v->mce[i * BANK_WORDS + CTL] = ~0ull;
	return 0;
}

/*
 * What a bank holds of several errors: an uncorrected one stays, and the last before that. SDM vol. 3, 16.3.2.2.1. Uncorrected ones that ask for
 * nothing (UCNA, 16.6.3) are no exceptions, either.
 */
int lkx_mce_set(struct lkx_vcpu *v, const struct kvm_x86_mce *mce)
{
	u64 *bank, status = mce->status;

	if (mce->bank >= (v->mcg_cap & MCG_COUNT) || !(status & MCI_VAL))
		return -EINVAL;
	bank = v->mce + mce->bank * BANK_WORDS;
	if ((status & MCI_UC) && (mce->mcg_status || (status & (MCI_PCC | MCI_S | MCI_AR)))) {
		if (((v->mcg_cap & MCG_CTL_P) && ~v->mcg_ctl) || ~bank[CTL])
			return 0;
		if ((v->mcg_status & MCG_STATUS_MCIP) || !(lkx_cr4(v) & CR4_MCE)) {
			v->triple_fault = true;
			return 0;
		}
		v->mcg_status = mce->mcg_status;
		lkx_queue_exception(v, VECTOR_MC);
	} else if (!(status & MCI_UC) && (bank[STATUS] & MCI_VAL) && (bank[STATUS] & MCI_UC)) {
		bank[STATUS] |= MCI_OVER;
		return 0;
	}
	bank[STATUS] = status | (bank[STATUS] & MCI_VAL ? MCI_OVER : 0);
	bank[ADDR] = mce->addr;
	bank[MISC] = mce->misc;
	return 0;
}

u64 *lkx_mce_bank(struct lkx_vcpu *v, u32 index)
{
	u32 n = index - BANK_FIRST;

	/* The mask is for a processor that speculates. */
	return n < (v->mcg_cap & MCG_COUNT) * BANK_WORDS ? &v->mce[n & (LKX_MCE_BANKS * BANK_WORDS - 1)] : NULL;
}

bool lkx_mce_bank_set(struct lkx_vcpu *v, u32 index, u64 value, bool by_guest)
{
	u64 *word = lkx_mce_bank(v, index);

	if (!word)
		return true;
	switch ((index - BANK_FIRST) % BANK_WORDS) {
	case CTL: /* all errors or none */
		if (value && ~(value | CTL_OPTIONAL))
			return true;
		break;
	case STATUS: /* an error is acknowledged, not made up */
		if (by_guest && value)
			return true;
		break;
	}
	*word = value;
	return false;
}
