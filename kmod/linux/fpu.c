// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "fpu.h"
#include "state.h"
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>

int lkx_fpu_init(struct linux_vcpu *lv)
{
	return fpu_alloc_guest_fpstate(&lv->fpu) ? 0 : -ENOMEM;
}

void lkx_fpu_destroy(struct linux_vcpu *lv)
{
	if (lv->fpu.fpstate)
		fpu_free_guest_fpstate(&lv->fpu);
}

#define XFEATURE_X87 1ull
#define XFEATURE_XMM 2ull
#define XFEATURE_YMM 4ull
#define FCW_INIT 0x37f
#define MXCSR_INIT 0x1f80

/* Components that the processor did not write because they are in their initial state: the memory behind them is stale. */
static u64 live_features(const struct fpstate *state)
{
	return boot_cpu_has(X86_FEATURE_XSAVE) ? state->regs.xsave.header.xfeatures : XFEATURE_X87 | XFEATURE_XMM;
}

void lkx_fpu_get(struct linux_vcpu *lv, struct kvm_fpu *f)
{
	const struct fxregs_state *x = &lv->fpu.fpstate->regs.fxsave;
	u64 live = live_features(lv->fpu.fpstate);

	memset(f, 0, sizeof(*f));
	f->fcw = FCW_INIT;
	f->mxcsr = MXCSR_INIT;
	if (live & XFEATURE_X87) {
		memcpy(f->fpr, x->st_space, sizeof(f->fpr));
		f->fcw = x->cwd;
		f->fsw = x->swd;
		f->ftwx = x->twd;
		f->last_opcode = x->fop;
		f->last_ip = x->rip;
		f->last_dp = x->rdp;
	}
	if (live & XFEATURE_XMM)
		memcpy(f->xmm, x->xmm_space, sizeof(f->xmm));
	if (live & (XFEATURE_XMM | XFEATURE_YMM))
		f->mxcsr = x->mxcsr;
}

void lkx_fpu_set(struct linux_vcpu *lv, const struct kvm_fpu *f)
{
	struct fpstate *state = lv->fpu.fpstate;
	struct fxregs_state *x = &state->regs.fxsave;

	memcpy(x->st_space, f->fpr, sizeof(f->fpr));
	x->cwd = f->fcw;
	x->swd = f->fsw;
	x->twd = f->ftwx;
	x->fop = f->last_opcode;
	x->rip = f->last_ip;
	x->rdp = f->last_dp;
	memcpy(x->xmm_space, f->xmm, sizeof(f->xmm));
	/* KVM_SET_FPU has never set MXCSR, and VMMs leave 0 there, which would unmask every exception. */
	if (!(live_features(state) & (XFEATURE_XMM | XFEATURE_YMM)))
		x->mxcsr = MXCSR_INIT;
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		state->regs.xsave.header.xfeatures |= XFEATURE_X87 | XFEATURE_XMM;
}

/* The kernel's own converters: they know in which form the container is. */
void lkx_fpu_get_xsave(struct linux_vcpu *lv, struct kvm_xsave *s)
{
	u64 features = lv->core.guest_xcr0_allowed | XFEATURE_X87 | XFEATURE_XMM;

	fpu_copy_guest_fpstate_to_uabi(&lv->fpu, s, sizeof(*s), features, 0);
}

int lkx_fpu_set_xsave(struct linux_vcpu *lv, const struct kvm_xsave *s)
{
	u32 pkru = 0; /* not among the features that pass */
	int r = lkx_xsave_check(NULL, s);

	/* Looks at MXCSR again, with the mask of this processor. */
	return r ? r : fpu_copy_uabi_to_guest_fpstate(&lv->fpu, s, XCR0_SUPPORTED, &pkru);
}
