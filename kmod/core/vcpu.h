/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A virtual processor, as the core sees it. The platform embeds it in its own. */
#ifndef LKX_VCPU_H
#define LKX_VCPU_H

#include "stats.h"
#include "vm.h"
#include "x86.h"

/* Guest registers that a VM exit leaves in the processor. vmenter.S knows these offsets. gpr[RSP] is unused: RSP is in the VMCS. */
struct lkx_regs {
	u64 gpr[16];
	u64 host_rsp; /* what VMCS HOST_RSP holds */
};
_Static_assert(offsetof(struct lkx_regs, host_rsp) == 128, "vmenter.S: LKX_REGS_HOST_RSP");

/* What the hardware said of one VM exit, read once. */
struct lkx_exit {
	u32 reason;            /* whole EXIT_REASON field */
	u32 instruction_length;
	u64 qualification;
	u64 gpa;               /* EPT violation and misconfiguration only */
	u32 interruption_info; /* exception or NMI only, and an external interrupt that was acknowledged */
	u32 interruption_error;
	u32 idt_vectoring_info;
	u32 idt_vectoring_error;
};

/* What is to be delivered to the guest. At most one of `exception`, `interrupt`, `nmi` is in delivery (injected) at a time. */
struct lkx_events {
	/* These eight bytes are zero on nearly every lap, and looked at together: lkx_events_quiet. */
	bool exception_pending;  /* raised by the core, not delivered yet */
	bool interrupt_pending;  /* KVM_INTERRUPT's, waiting for the guest to take interrupts */
	u8 nmi_pending;          /* 0 to 2 */
	u8 requests;             /* [a] LKX_REQUEST_*: any thread's, by lkx_request */
	bool exception_injected; /* delivery was interrupted by a VM exit, or is in the VMCS */
	bool interrupt_injected;
	bool nmi_injected;
	bool entry_info_valid;   /* ENTRY_INTERRUPTION_INFO holds a valid event */

	u8 exception_vector;
	bool exception_has_error;
	bool exception_soft;     /* INT3, INTO: needs instruction_length */
	u32 exception_error;
	/* What CR2 (#PF) or DR6 (#DB) become when it is delivered: from KVM_SET_VCPU_EVENTS; the core's own are there at once. */
	bool exception_has_payload;
	u64 exception_payload;
	bool interrupt_soft;     /* INT n */
	u8 interrupt_vector;
	u32 instruction_length;  /* of soft events */
};
_Static_assert(offsetof(struct lkx_events, entry_info_valid) == 7 && offsetof(struct lkx_events, exception_vector) == 8,
	       "lkx_events_quiet looks at what comes first");

/* What a vCPU has to see to before it enters the guest, interrupts on and its VMCS current: bits of lkx_events.requests. */
#define LKX_REQUEST_LAPIC 1            /* something may be deliverable */
#define LKX_REQUEST_CLOCK 2            /* the guest's pvclock structure is to be written anew */
#define LKX_REQUEST_STEAL_TIME 4       /* its steal time, likewise */

/* What KVM_RUN has to finish first, because user space answered an exit. */
enum lkx_completion {
	LKX_COMPLETE_NOTHING,
	LKX_COMPLETE_SKIP,       /* step over the instruction at `rip`, unless user space moved RIP */
	LKX_COMPLETE_IN,         /* IN: pio data to RAX, then as SKIP */
	LKX_COMPLETE_INS,        /* string input: pio data to guest memory */
	LKX_COMPLETE_MMIO,       /* next fragment, or data to the register */
	LKX_COMPLETE_MSR,        /* RDMSR, WRMSR: #GP, or data to EDX:EAX, then as SKIP */
};

/* An access to addresses without a slot, decoded (mmio.c). Split in fragments of at most 8 bytes that do not cross a page. */
struct lkx_mmio {
	u64 gpa[2];
	u8 len[2];
	u8 fragments, active; /* how many, and the one under way */
	u8 data[16];
	bool write;
	/* a load's destination */
	u8 reg;
	bool high_byte;     /* AH, CH, DH, BH */
	u8 operand_bytes;   /* width of the destination register */
	u8 access_bytes;
	bool sign_extend;
	u8 instruction_length;
};

/* Port I/O under way (exit_io.c). */
struct lkx_pio {
	u16 port;
	u8 size;
	bool in;
	u32 count;
	/* INS only */
	bool rep;
	u8 address_bytes; /* width of RDI and RCX: 2, 4 or 8 */
};

/* What CPUID answered last: an entry of the vCPU's table, or NULL. */
struct lkx_cpuid_last {
	u32 leaf, index;
	const struct kvm_cpuid_entry2 *entry;
};

/* What there is to do between a VM exit and the end of guest mode. */
#define LKX_AFTER_DEBUG 1 /* dr[] and dr6 are in the processor */
#define LKX_AFTER_PML 2   /* lkx_pml_note, always where v->pml */

enum lkx_mode { LKX_OUTSIDE_GUEST, LKX_IN_GUEST };

/* What a guest that knows KVM has asked for (pv.c). */
struct lkx_pv {
	u64 clock;              /* [a] MSR_KVM_SYSTEM_TIME as written */
	u64 steal_time;         /* MSR_KVM_STEAL_TIME, likewise */
	u64 eoi;                /* MSR_KVM_PV_EOI_EN, likewise */
	u64 run_delay;          /* of the thread, when it was last told to the guest */
	bool steal_begun;       /* run_delay is something */
	bool clock_paused;      /* KVM_KVMCLOCK_CTRL, which the guest has not been told */
};

/* MTRRs (mtrr.c): variable ranges, of two MSRs each, and MSRs of fixed ranges. */
#define LKX_MTRR_RANGES 8
#define LKX_MTRR_FIXED 11

/* Owned by the thread in the vCPU's ioctl (the platform's vCPU lock) but for what is marked [a]. */
struct lkx_vcpu {
	struct lkx_hw *hw;      /* [I] */
	struct lkx_vm *vm;      /* [I] */
	struct kvm_run *run;    /* [I] shared with user space: plat_read_once only */
	u8 *pio_data;           /* [I] one page, shared with user space */
	u32 id;                 /* [I] */
	struct lkx_lapic *lapic; /* [I] NULL: user space has it */
	u16 vpid;               /* [I] 0: none left, the hardware flushes at every transition */

	struct lkx_regs regs;
	struct lkx_exit exit;
	struct lkx_events events;
	u32 mode;               /* [a] enum lkx_mode, for plat_kick_guests */
	bool launched;          /* VMLAUNCH done since the last VMCLEAR; the platform clears it */
	bool triple_fault;      /* raised by the core: a fault while a double fault was on its way */
	bool has_run;           /* CPUID is fixed from now on */

	u64 timer_tsc;          /* the APIC timer runs out by the preemption timer: when, in the host's TSC, or LKX_TIMER_STALE; 0: it does not */

	/* Translations: the VM's generation that this vCPU's processor has seen; LKX_TLB_STALE after a move. */
	u64 tlb_generation;

	/* State that no VMCS field holds. */
	u64 cr2, cr8, xcr0, efer, apic_base;
	u64 dr[4], dr6;
	u8 after_exit;          /* LKX_AFTER_*: few vCPUs have any, and one look finds that */
	bool osxsave;           /* CR4.OSXSAVE of the guest, which the host owns: its XCR0 counts */
	/*
	 * kernel_gs_base and tsc_aux are the processor's between plat_entry_begin and vCPU put; star, lstar and fmask too, while EFER.SCE is
	 * set; cstar, which only SYSCALL outside of 64-bit mode would use (Intel has none), never.
	 */
	u64 star, lstar, cstar, fmask, kernel_gs_base, tsc_aux;
	bool cpu_msrs_changed;  /* these, since they were put into the processor */
	bool msr_filtered;      /* at the last entry the VMCS had the page of a filter */
	u64 msr_bitmap_pa;      /* as in the VMCS */
	u64 misc_enable, feature_control, bios_sign_id, tsc_adjust;
	u64 mtrr[2 * LKX_MTRR_RANGES + LKX_MTRR_FIXED], mtrr_def_type;
	u64 mcg_cap, mcg_status, mcg_ctl;
	u64 *mce;               /* plat_alloc'ed: the banks (mce.c); NULL: KVM_X86_SETUP_MCE was not called */
	u64 tsc_offset, tsc_multiplier; /* [a] */
	u32 tsc_khz;
	u32 mp_state;           /* KVM_MP_STATE_* */
	u32 proc_controls;      /* as written to the VMCS, so that windows cost a write only when they change */
	/* pml.h: entries from `noted` on the processor is done with, those from `read` on are in the dirty logs. */
	u64 *pml;               /* [I] NULL: no page-modification logging */
	u32 pml_noted;          /* [a]; it goes up under ept.lock only */
	u32 pml_read;           /* ept.lock */

	/* KVM_SET_GUEST_DEBUG (debug.c): 0 where nobody debugs. */
	u32 guest_debug;        /* KVM_GUESTDBG_* */
	u8 breakpoint_bytes;    /* of the last INT3 that was the debugger's */
	bool own_tf;            /* RFLAGS.TF before KVM_RUN, while the guest is stepped */
	bool stepped;           /* over an instruction that the core did: KVM_EXIT_DEBUG is owed */
	u64 debug_dr[4];        /* the debugger's DR0-DR3, and the guest's DR7: with KVM_GUESTDBG_USE_HW_BP */
	u64 guest_dr7;

	/* CPUID as KVM_SET_CPUID2 gave it, or the default set. */
	struct kvm_cpuid_entry2 *cpuid; /* plat_alloc'ed */
	u32 cpuid_count;
	struct lkx_cpuid_last cpuid_last;
	bool cpuid_default;             /* not from KVM_SET_CPUID2: user space reads an empty table back */
	u64 cr4_guest_allowed;  /* bits of CR4 that this CPUID lets the guest set */
	u64 guest_xcr0_allowed;

	struct lkx_vcpu_stats stats;
	struct lkx_pv pv;

	/* The last exit's unfinished part. */
	enum lkx_completion completion;
	u64 completion_rip;
	struct lkx_pio pio;
	struct lkx_mmio mmio;
	struct lkx_ept_cache ept_cache;
};

#define LKX_TLB_STALE (~0ull)
#define LKX_TIMER_STALE 1
#define LKX_TSC_MULTIPLIER_ONE (1ull << 48)
/* #DB keeps DR6, #AC and #MC loop or reset machines: these exit. Everything else the guest takes by itself, but a debugger's #BP. */
#define EXCEPTIONS_THAT_EXIT (BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC))

static inline u64 lkx_rip(struct lkx_vcpu *v)
{
	return vmcs_readn(v->hw, GUEST_RIP);
}

static inline void lkx_set_rip(struct lkx_vcpu *v, u64 rip)
{
	vmcs_writen(v->hw, GUEST_RIP, rip);
}

static inline u64 lkx_rflags(struct lkx_vcpu *v)
{
	return vmcs_readn(v->hw, GUEST_RFLAGS);
}

static inline u64 lkx_gpr(struct lkx_vcpu *v, unsigned int reg)
{
	reg &= 15;
	return reg == RSP ? vmcs_readn(v->hw, GUEST_RSP) : v->regs.gpr[reg];
}

static inline void lkx_set_gpr(struct lkx_vcpu *v, unsigned int reg, u64 value)
{
	reg &= 15;
	if (reg == RSP)
		vmcs_writen(v->hw, GUEST_RSP, value);
	else
		v->regs.gpr[reg] = value;
}

/* CR0 and CR4 as the guest sees them: host-owned bits from the shadow, the rest from the processor. */
static inline u64 lkx_cr0(struct lkx_vcpu *v)
{
	u64 mask = vmcs_readn(v->hw, CR0_GUEST_HOST_MASK);

	return (vmcs_readn(v->hw, GUEST_CR0) & ~mask) | (vmcs_readn(v->hw, CR0_READ_SHADOW) & mask);
}

static inline u64 lkx_cr4(struct lkx_vcpu *v)
{
	u64 mask = vmcs_readn(v->hw, CR4_GUEST_HOST_MASK);

	return (vmcs_readn(v->hw, GUEST_CR4) & ~mask) | (vmcs_readn(v->hw, CR4_READ_SHADOW) & mask);
}

static inline bool lkx_long_mode(struct lkx_vcpu *v)
{
	return v->efer & EFER_LMA_BIT;
}

/* CS.L with EFER.LMA: 64-bit mode. */
static inline bool lkx_is_64bit(struct lkx_vcpu *v)
{
	return lkx_long_mode(v) && (vmcs_read32(v->hw, GUEST_CS_ACCESS_RIGHTS) & BIT(13));
}

static inline unsigned int lkx_cpl(struct lkx_vcpu *v)
{
	/* DPL of SS; SDM vol. 3, 24.4: the VMCS keeps CPL there. Real mode is 0, virtual-8086 mode 3 */
	return (vmcs_read32(v->hw, GUEST_SS_ACCESS_RIGHTS) >> 5) & 3;
}

/* Before VM entry, interrupts off, v->mode in guest: what the processor has cached is made as new as the tables (tlb.c). */
static inline void lkx_tlb_sync(struct lkx_vcpu *v)
{
	u64 generation = plat_load64(&v->vm->ept.generation);

	if (unlikely(v->tlb_generation != generation))
		lkx_tlb_catch_up(v, generation);
}

/*
 * A guest that halts by itself (KVM_X86_DISABLE_EXITS_HLT) may be found halted in its VMCS. What it is given then, events or other registers,
 * finds it awake: few of them may be entered with in that state. SDM vol. 3, 27.3.1.5.
 */
static inline void lkx_wake(struct lkx_vcpu *v)
{
	if (unlikely(v->vm->disabled_exits & KVM_X86_DISABLE_EXITS_HLT))
		vmcs_write32(v->hw, GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
}

/*
 * From any thread and context. A vCPU in guest mode does not notice until it leaves it: whoever cannot wait for that kicks it afterwards.
 */
static inline void lkx_request(struct lkx_vcpu *v, u8 requests)
{
	plat_or8(&v->events.requests, requests);
}

/* The vCPU's own thread: which of `requests` there were; they are no more. What follows sees what whoever made them did before. */
static inline u8 lkx_take_requests(struct lkx_vcpu *v, u8 requests)
{
	u8 made = plat_read_once(v->events.requests) & requests;

	if (made)
		plat_and8(&v->events.requests, ~made);
	return made;
}

/* --- vcpu.c --- */

/* Fills a new vCPU's VMCS (current and cleared) and state as after reset (SDM vol. 3, table 9-1). 0 or -ENOMEM. */
int lkx_vcpu_init(struct lkx_vcpu *v);
/* INIT: the state that SDM vol. 3, table 9-1 has for it. And STARTUP: real mode at vector << 12. */
void lkx_vcpu_init_reset(struct lkx_vcpu *v);
void lkx_vcpu_start_up(struct lkx_vcpu *v, u8 vector);
/* Interrupts off, v->mode still in guest: what v->after_exit says. `failed`: VMLAUNCH or VMRESUME itself. */
void lkx_after_exit(struct lkx_vcpu *v, bool failed);
/* Frees what the core allocated for it. */
void lkx_vcpu_destroy(struct lkx_vcpu *v);

/* --- exit.c --- */

/* RIP past the instruction that exited (at `rip`), its interrupt shadow over, and a single-step trap raised if TF asks for it. */
void lkx_skip_instruction_at(struct lkx_vcpu *v, u64 rip);
static inline void lkx_skip_instruction(struct lkx_vcpu *v)
{
	lkx_skip_instruction_at(v, lkx_rip(v));
}

/* --- events.c --- */

void lkx_queue_exception(struct lkx_vcpu *v, u8 vector);
void lkx_queue_exception_error(struct lkx_vcpu *v, u8 vector, u32 error);
void lkx_queue_page_fault(struct lkx_vcpu *v, u64 address, u32 error);
static inline void lkx_inject_gp(struct lkx_vcpu *v)
{
	lkx_queue_exception_error(v, VECTOR_GP, 0);
}

static inline void lkx_inject_ud(struct lkx_vcpu *v)
{
	lkx_queue_exception(v, VECTOR_UD);
}

#endif
