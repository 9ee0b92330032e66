/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The local APIC of each vCPU of a VM with KVM_CAP_SPLIT_IRQCHIP. SDM vol. 3, chapter 11 (12 in newer editions).
 *
 * What a vCPU's own thread does to its APIC needs no lock. Others only set bits of `irr`, `tmr` and `posted`, make the request LKX_REQUEST_LAPIC
 * and see to it that the vCPU looks: the state itself changes where the vCPU runs (lkx_lapic_look). The virtual-APIC page is that thread's, too, and
 * the processor's while the guest runs.
 */
#ifndef LKX_LAPIC_H
#define LKX_LAPIC_H

#include "vcpu.h"

/* Registers by number: their offset in the xAPIC's page / 16, and their MSR less 0x800. */
enum lkx_lapic_register {
	LAPIC_ID = 0x2,
	LAPIC_VERSION,
	LAPIC_TPR = 0x8,
	LAPIC_APR,
	LAPIC_PPR,
	LAPIC_EOI,
	LAPIC_RRD,
	LAPIC_LDR,
	LAPIC_DFR,
	LAPIC_SVR,
	LAPIC_ISR = 0x10,
	LAPIC_TMR = 0x18,
	LAPIC_IRR = 0x20,
	LAPIC_ESR = 0x28,
	LAPIC_ICR = 0x30,
	LAPIC_ICR2,
	LAPIC_LVT_TIMER,
	LAPIC_LVT_THERMAL,
	LAPIC_LVT_PERFORMANCE,
	LAPIC_LVT_LINT0,
	LAPIC_LVT_LINT1,
	LAPIC_LVT_ERROR,
	LAPIC_TIMER_INITIAL,
	LAPIC_TIMER_CURRENT,
	LAPIC_TIMER_DIVIDE = 0x3e,
	LAPIC_SELF_IPI,
	LAPIC_REGISTERS,
};

#define LKX_X2APIC_API (KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
#define LAPIC_MSR_FIRST 0x800u
#define LAPIC_MSR_LAST 0x8ffu
#define LAPIC_SVR_ENABLE BIT(8)
#define LAPIC_LVT_MASKED BIT(16)
#define LAPIC_ESR_BAD_VECTOR_SENT BIT(5)
#define LAPIC_ESR_BAD_VECTOR_RECEIVED BIT(6)
#define LAPIC_ESR_BAD_REGISTER BIT(7)

/* Delivery modes. SDM vol. 3, 11.6.1. */
enum lkx_delivery { DELIVERY_FIXED, DELIVERY_LOWEST, DELIVERY_SMI, DELIVERY_REMOTE_READ, DELIVERY_NMI, DELIVERY_INIT, DELIVERY_STARTUP, DELIVERY_EXTINT };

/* `posted`: what came for the vCPU besides interrupts in IRR. */
#define LKX_POSTED_NMI BIT_ULL(0)
#define LKX_POSTED_INIT BIT_ULL(1)
#define LKX_POSTED_STARTUP BIT_ULL(2)        /* its vector in bits 15:8 */
#define LKX_POSTED_TIMER BIT_ULL(3)
#define LKX_POSTED_BAD_VECTOR BIT_ULL(4)     /* an interrupt of a vector below 16 */
#define LKX_POSTED_UNHALT BIT_ULL(5)         /* ends one HLT, now or the next */
#define LKX_POSTED_STARTUP_VECTOR 0xff00ull
#define LKX_POSTED_ROUTES BIT_ULL(6)         /* other routes: the processor is to say of other interrupts that they are over */

/* [a] written by any thread with atomic operations  [r] the vCPU's own, read by any thread: aligned, so whole */
struct lkx_lapic {
	/* IRR is what comes for the vCPU; with `descriptor` it is a posted-interrupt descriptor. SDM vol. 3, 30.6. */
	u64 irr[4];               /* [a], by processors, too */
	u64 descriptor[4];        /* always 0: who sends, notifies; nothing goes by its bit for that */
	u32 reg[LAPIC_REGISTERS]; /* [r]; not those above and below, nor PPR and current count */
	u64 isr[4];
	u64 tmr[4];               /* [a] */
	u64 posted;               /* [a] */
	u64 timer_at;             /* when it fires, in plat_now's nanoseconds; 0: it does not run */
	bool timer_waits;         /* the platform's timer may be set */
	u64 tsc_deadline;         /* IA32_TSC_DEADLINE */
	u32 errors;               /* what the next write to ESR shows there */
	u32 lowest_taken;         /* [r] lowest-priority interrupts it was chosen for: who took fewest is next */
	bool unhalted;            /* the next HLT is none */
	bool eoi_offered;         /* the guest may end the interrupt in service without an exit: lkx_pv_eoi_offer */
	bool eoi_owed;            /* KVM_EXIT_IOAPIC_EOI of eoi_vector */
	u8 eoi_vector;
	bool extint_pending;      /* KVM_INTERRUPT, for LINT0 as ExtINT */
	u8 extint_vector;
	u8 startup_vector;        /* of KVM_SET_VCPU_EVENTS, for a KVM_MP_STATE_SIPI_RECEIVED that follows */
	/* lapic_virtual.c */
	u32 *page;                /* [I] the virtual-APIC page, the processor's while the guest runs; NULL: the processor has no use for one */
	u32 offered;              /* what its mode can have of the processor: LKX_X2APIC_VIRTUALIZATION, LKX_XAPIC_VIRTUALIZATION, 0 */
	u32 controls;             /* [r] what of that is in the VMCS; with APIC-register virtualization it does the APIC's work */
	bool in_page;             /* TPR (with v->cr8) and ISR are in the page, not here; in xAPIC mode ICR's high half, too; a part of IRR where posted */
	bool registers_in_page;   /* those that are only read there are as here */
};
/* What is allocated: a power of two, so that it is aligned to that, and the descriptor with it. */
#define LKX_LAPIC_BYTES 512
_Static_assert(sizeof(struct lkx_lapic) <= LKX_LAPIC_BYTES && !offsetof(struct lkx_lapic, irr) && offsetof(struct lkx_lapic, descriptor) == 32,
	       "a posted-interrupt descriptor, 64-byte aligned");

/* KVM_CAP_SPLIT_IRQCHIP: 0, -EINVAL, -EEXIST. The slots lock is held. */
int lkx_lapics_enable(struct lkx_vm *vm, u64 pins);

/* A new vCPU's, where its VM is to have them: 0 or -ENOMEM. */
int lkx_lapic_create(struct lkx_vcpu *v);
void lkx_lapic_destroy(struct lkx_vcpu *v);

/* --- messages, from any context (lapic_send.c); none of these sleeps --- */

/*
 * An MSI: `address` and `data` as SDM vol. 3, 11.11; bits 63:40 of the address are those from 8 on of the destination where KVM_CAP_X2APIC_API's
 * 32-bit IDs are enabled. Returns how many vCPUs took it.
 */
int lkx_lapic_message(struct lkx_vm *vm, u64 address, u32 data);
/* Would it reach v? */
bool lkx_lapic_message_matches(struct lkx_vcpu *v, u64 address, u32 data);
/* The vCPU with that APIC ID, or NULL. */
struct lkx_vcpu *lkx_lapic_find(struct lkx_vm *vm, u32 id);
/* LKX_POSTED_* for v, which sees to it at once: it leaves the guest, or wakes. */
void lkx_lapic_post(struct lkx_vcpu *v, u64 what);
/* v's timer has run out. */
static inline void lkx_lapic_timer_fired(struct lkx_vcpu *v)
{
	lkx_lapic_post(v, LKX_POSTED_TIMER);
}
/* An interrupt of `vector`; false: the APIC is off, or the vector illegal. */
bool lkx_lapic_interrupt(struct lkx_vcpu *v, u8 vector, bool level);
/* The ICR was written. */
void lkx_lapic_send(struct lkx_vcpu *v, u32 icr, u32 destination);

/* --- in the vCPU's own thread, v->lapic is there (lapic.c) --- */

static inline bool lkx_lapic_enabled(const struct lkx_vcpu *v)
{
	return plat_load64(&v->apic_base) & APIC_BASE_ENABLE;
}

static inline bool lkx_lapic_x2apic(const struct lkx_vcpu *v)
{
	return (plat_load64(&v->apic_base) & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) == (APIC_BASE_ENABLE | APIC_BASE_X2APIC);
}

/* A mode in which the processor can end its interrupts. */
static inline bool lkx_lapic_virtual_eoi(const struct lkx_vcpu *v)
{
	return v->lapic->offered & CTRL(PROC2, VIRTUAL_INTERRUPT_DELIVERY);
}

/* The VMCS has the processor take interrupts from IRR and deliver them: without an exit, while the guest runs. Any thread's question. */
static inline bool lkx_lapic_is_posted_to(const struct lkx_vcpu *v)
{
	return v->vm->caps->posted_interrupts && (plat_load32(&v->lapic->controls) & CTRL(PROC2, VIRTUAL_INTERRUPT_DELIVERY));
}

/* From the next entry on that will be so. (Not while a debugger holds interrupts back.) */
static inline bool lkx_lapic_posts(const struct lkx_vcpu *v)
{
	return v->vm->caps->posted_interrupts && lkx_lapic_virtual_eoi(v) && !(v->guest_debug & KVM_GUESTDBG_BLOCKIRQ);
}

/* As after reset, or INIT. */
void lkx_lapic_reset(struct lkx_vcpu *v, bool init);
/* v->apic_base may have changed from `old`: with it change IDs, and what the processor can do. */
void lkx_lapic_base_changed(struct lkx_vcpu *v, u64 old);
/* A register, in xAPIC or x2APIC mode: true where there is no such one to read or write so, or not with that value (#GP in x2APIC mode). */
bool lkx_lapic_read(struct lkx_vcpu *v, u32 reg, u64 *value, bool x2apic);
bool lkx_lapic_write(struct lkx_vcpu *v, u32 reg, u64 value, bool x2apic);
/* An access to the page at APIC_BASE: false where it is none. */
bool lkx_lapic_mmio(struct lkx_vcpu *v, u64 gpa, u8 *data, u8 len, bool write);
/* CR8 is 4 bits of TPR. */
void lkx_lapic_set_tpr(struct lkx_vcpu *v, u8 tpr);
/* The highest interrupt that PPR lets through, or -1; is there none but those that it holds back? Both may take TPR and ISR from the page. */
int lkx_lapic_highest(struct lkx_vcpu *v);
bool lkx_lapic_holds_back(struct lkx_vcpu *v);
/* The highest in service, or -1. */
int lkx_lapic_in_service(const struct lkx_vcpu *v);
/* Is there an interrupt for the guest? Where `now`, it is queued, and in service. */
bool lkx_lapic_offer(struct lkx_vcpu *v, bool now);
/* Did the guest end the interrupt it was offered to end without an exit? Before anything looks at what is in service. */
void lkx_lapic_see_eoi(struct lkx_vcpu *v);
/* KVM_INTERRUPT may reach the guest: LINT0 is ExtINT, or the APIC off. */
bool lkx_lapic_accepts_extint(const struct lkx_vcpu *v);
/* KVM_INTERRUPT: 0, or -EEXIST while there is one. */
int lkx_lapic_extint(struct lkx_vcpu *v, u8 vector);
/* The interrupt of `vector` has left ISR: user space may have to be told. */
void lkx_lapic_interrupt_over(struct lkx_vcpu *v, u8 vector);
/* In x2APIC mode, is reading it no more than that? */
bool lkx_lapic_reads_plainly(u32 reg);
/* ESR's bits `error`, and the interrupt for them. */
void lkx_lapic_error(struct lkx_vcpu *v, u32 error);
/* KVM_GET_LAPIC and KVM_SET_LAPIC; the second 0, or -EINVAL where there is another's x2APIC ID. */
void lkx_lapic_get(struct lkx_vcpu *v, struct kvm_lapic_state *s);
int lkx_lapic_set(struct lkx_vcpu *v, const struct kvm_lapic_state *s);

/* --- lapic_timer.c --- */

bool lkx_lapic_has_tsc_deadline(struct lkx_vcpu *v);
/* TIMER_INITIAL was written, the mode or divisor is about to change, the count is asked for. */
void lkx_lapic_timer_start(struct lkx_vcpu *v, u32 count);
/* As it was with `count` left. */
void lkx_lapic_timer_resume(struct lkx_vcpu *v, u32 count);
void lkx_lapic_timer_stop(struct lkx_vcpu *v);
u32 lkx_lapic_timer_count(struct lkx_vcpu *v);
void lkx_lapic_timer_set_mode(struct lkx_vcpu *v, u32 lvt);
void lkx_lapic_timer_set_divide(struct lkx_vcpu *v, u32 value);
u64 lkx_lapic_deadline(struct lkx_vcpu *v);
void lkx_lapic_set_deadline(struct lkx_vcpu *v, u64 deadline);
/* LKX_POSTED_TIMER is seen to. */
void lkx_lapic_timer_expired(struct lkx_vcpu *v);
/* Before an entry, interrupts off, where v->timer_tsc: the preemption timer's value. */
void lkx_lapic_timer_load(struct lkx_vcpu *v);
/* The vCPU is about to wait: only the platform's timer wakes it. */
void lkx_lapic_timer_wait(struct lkx_vcpu *v);

/* --- lapic_virtual.c --- */

/* Before an entry, when it is settled what is injected: the processor does the APIC's work, or leaves it. */
void lkx_lapic_load(struct lkx_vcpu *v);
/* On the way there: TPR and ISR are here. */
void lkx_lapic_unload(struct lkx_vcpu *v);
/* Elsewhere: they are here, and whatever changes before the next entry goes into the page there. */
void lkx_lapic_recall(struct lkx_vcpu *v);
/* KVM_RUN ends: user space finds no interrupt in service that the guest has ended, and the guest's CR8. */
void lkx_lapic_leave(struct lkx_vcpu *v);
/* LKX_POSTED_ROUTES is seen to, where there is a virtual-APIC page. */
void lkx_lapic_follow_routes(struct lkx_vcpu *v);
/* An EPT violation at `gpa`, in no slot. True where that is the APIC-access page, which is mapped now: the guest is to try again. */
bool lkx_lapic_map(struct lkx_vcpu *v, u64 gpa, u64 qualification);
/* Maps the APIC-access page, with a filled cache; or takes it away for good, with NULL. Is it there? */
bool lkx_lapic_set_page(struct lkx_vm *vm, struct lkx_ept_cache *cache);
/* Makes of a page of lkx_msr_bitmap_init that for vCPUs whose APIC's work the processor does; `posted`: the delivery of interrupts, too. */
void lkx_lapic_pass_through(u8 *page, bool posted);

/* --- lapic_run.c --- */

/*
 * Sees to what came, and waits where the vCPU does not run: before entry, interrupts on. 1: it is to enter; 0: to user space, with the run page
 * filled; -EINTR: a signal came while it waited.
 */
int lkx_lapic_look(struct lkx_vcpu *v);

#endif
