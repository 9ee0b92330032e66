// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* A local APIC's registers and priorities: all that happens in its own vCPU's thread. */
#include "events.h"
#include "lapic.h"
#include "pv.h"
#include "routing.h"

/* P6 family's successors, six local vectors, no suppression of EOI broadcasts. SDM vol. 3, 11.4.8. */
#define VERSION 0x50014u
#define SVR_RESET 0xffu
#define DFR_RESET 0xffffffffu
#define LINT_EXTINT (DELIVERY_EXTINT << 8)
#define LAPIC_PAGE 4096

/* Who may read and write a register, and which bits stay. X: at the xAPIC's page, M: as an MSR in x2APIC mode. SDM vol. 3, tables 11-1 and 11-6. */
enum { XR = 1, XW = 2, MR = 4, MW = 8, ALL = XR | XW | MR | MW };
static const struct rule {
	u8 access;
	u32 bits;
} __attribute__((packed)) rules[LAPIC_REGISTERS] = {
	[LAPIC_ID] = { XR | XW | MR, 0xff000000 },
	[LAPIC_VERSION] = { XR | MR, 0 },
	[LAPIC_TPR] = { ALL, 0xff },
	[LAPIC_APR] = { XR, 0 },
	[LAPIC_PPR] = { XR | MR, 0 },
	[LAPIC_EOI] = { XW | MW, 0 },
	[LAPIC_RRD] = { XR, 0 },
	[LAPIC_LDR] = { XR | XW | MR, 0xff000000 },
	[LAPIC_DFR] = { XR | XW, 0xf0000000 },
	[LAPIC_SVR] = { ALL, 0x3ff },
	[LAPIC_ISR ... LAPIC_ESR - 1] = { XR | MR, 0 },
	[LAPIC_ESR] = { ALL, 0 },
	[LAPIC_ICR] = { ALL, 0xccfff },
	[LAPIC_ICR2] = { XR | XW, 0xff000000 },
	[LAPIC_LVT_TIMER] = { ALL, 0x700ff },
	[LAPIC_LVT_THERMAL] = { ALL, 0x107ff },
	[LAPIC_LVT_PERFORMANCE] = { ALL, 0x107ff },
	[LAPIC_LVT_LINT0] = { ALL, 0x1a7ff },
	[LAPIC_LVT_LINT1] = { ALL, 0x1a7ff },
	[LAPIC_LVT_ERROR] = { ALL, 0x100ff },
	[LAPIC_TIMER_INITIAL] = { ALL, ~0u },
	[LAPIC_TIMER_CURRENT] = { XR | MR, 0 },
	[LAPIC_TIMER_DIVIDE] = { ALL, 0xb },
	[LAPIC_SELF_IPI] = { MW, 0xff },
};

/* The highest of 256 bits, or -1. */
static int highest(const u64 bits[4])
{
	int i;

	for (i = 3; i >= 0; i--) {
		u64 word = plat_load64(&bits[i]);

		if (word)
			return i * 64 + 63 - __builtin_clzll(word);
	}
	return -1;
}

/* SDM vol. 3, 11.8.3.1. */
static u8 processor_priority(const struct lkx_lapic *l)
{
	u8 tpr = l->reg[LAPIC_TPR];
	int in_service = highest(l->isr);

	if (in_service < 0 || (tpr >> 4) >= (in_service >> 4))
		return tpr;
	return in_service & 0xf0;
}

int lkx_lapic_highest(struct lkx_vcpu *v)
{
	int vector;

	/* There it has a part of them. */
	if (lkx_lapic_is_posted_to(v))
		lkx_lapic_unload(v);
	vector = highest(v->lapic->irr);
	if (vector < 0 || !lkx_lapic_enabled(v))
		return -1;
	lkx_lapic_unload(v);
	return (vector >> 4) > (processor_priority(v->lapic) >> 4) ? vector : -1;
}

bool lkx_lapic_holds_back(struct lkx_vcpu *v)
{
	return highest(v->lapic->irr) >= 0 && lkx_lapic_highest(v) < 0;
}

int lkx_lapic_in_service(const struct lkx_vcpu *v)
{
	return highest(v->lapic->isr);
}

/* Has it to be told to user space's I/O APIC? */
static bool end_is_awaited(struct lkx_vcpu *v, u8 vector)
{
	return lkx_routing_wants_eoi(v, vector, plat_load64(&v->lapic->tmr[vector / 64]) & BIT_ULL(vector % 64));
}

/* Out of IRR, into ISR. Where nothing waits for its end, that needs no exit; what comes meanwhile makes a request, which looks for it. */
static void take(struct lkx_vcpu *v, u8 vector)
{
	struct lkx_lapic *l = v->lapic;
	u64 *word = &l->irr[vector / 64], bit = BIT_ULL(vector % 64), old;

	do {
		old = plat_load64(word);
	} while (plat_cmpxchg64(word, old, old & ~bit) != old);
	l->isr[vector / 64] |= bit;
	l->eoi_offered = !lkx_lapic_virtual_eoi(v) && highest(l->irr) < 0 && !end_is_awaited(v, vector) && lkx_pv_eoi_offer(v);
}

bool lkx_lapic_accepts_extint(const struct lkx_vcpu *v)
{
	u32 lint0 = v->lapic->reg[LAPIC_LVT_LINT0];

	return !lkx_lapic_enabled(v) || (!(lint0 & LAPIC_LVT_MASKED) && (lint0 & 0x700) == LINT_EXTINT);
}

bool lkx_lapic_offer(struct lkx_vcpu *v, bool now)
{
	struct lkx_lapic *l = v->lapic;
	bool extint = l->extint_pending && lkx_lapic_accepts_extint(v);
	/* What the processor delivers is not for anybody to inject. */
	int vector = extint ? l->extint_vector : lkx_lapic_posts(v) ? -1 : lkx_lapic_highest(v);

	if (now && vector >= 0) {
		if (extint)
			l->extint_pending = false;
		else
			take(v, vector);
		lkx_queue_interrupt(v, vector);
	}
	return vector >= 0;
}

int lkx_lapic_extint(struct lkx_vcpu *v, u8 vector)
{
	struct lkx_lapic *l = v->lapic;

	if (l->extint_pending)
		return -EEXIST;
	l->extint_pending = true;
	l->extint_vector = vector;
	lkx_request(v, LKX_REQUEST_LAPIC);
	return 0;
}

void lkx_lapic_interrupt_over(struct lkx_vcpu *v, u8 vector)
{
	struct lkx_lapic *l = v->lapic;

	if (end_is_awaited(v, vector)) {
		l->eoi_owed = true;
		l->eoi_vector = vector;
	}
	lkx_request(v, LKX_REQUEST_LAPIC);
}

static void end_of_interrupt(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;
	int vector;

	lkx_lapic_unload(v);
	vector = highest(l->isr);
	if (vector < 0)
		return;
	l->isr[vector / 64] &= ~BIT_ULL(vector % 64);
	lkx_lapic_interrupt_over(v, vector);
}

void lkx_lapic_see_eoi(struct lkx_vcpu *v)
{
	if (!v->lapic->eoi_offered)
		return;
	v->lapic->eoi_offered = false;
	if (lkx_pv_eoi_taken(v))
		end_of_interrupt(v);
}

void lkx_lapic_set_tpr(struct lkx_vcpu *v, u8 tpr)
{
	lkx_lapic_recall(v);
	v->lapic->reg[LAPIC_TPR] = tpr;
	v->cr8 = tpr >> 4;
	lkx_request(v, LKX_REQUEST_LAPIC);
}

/* Logical x2APIC IDs follow from the others. SDM vol. 3, 11.12.10.2. */
static void set_ids(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;

	if (lkx_lapic_x2apic(v)) {
		l->reg[LAPIC_ID] = v->id;
		l->reg[LAPIC_LDR] = v->id >> 4 << 16 | BIT(v->id & 15);
	} else {
		l->reg[LAPIC_ID] = v->id << 24;
	}
}

void lkx_lapic_base_changed(struct lkx_vcpu *v, u64 old)
{
	const u64 mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
	struct lkx_lapic *l = v->lapic;
	u64 base = v->apic_base;

	if (base == old)
		return;
	if (((old ^ base) & mode) && lkx_lapic_enabled(v))
		set_ids(v);
	lkx_lapic_recall(v);
	lkx_request(v, LKX_REQUEST_LAPIC);
	if (!l->page)
		return;
	l->offered = 0;
	if ((base & mode) == mode)
		l->offered = LKX_X2APIC_VIRTUALIZATION;
	if ((base & ~APIC_BASE_BSP) == (APIC_BASE_DEFAULT | APIC_BASE_ENABLE))
		l->offered = LKX_XAPIC_VIRTUALIZATION;
	else
		lkx_lapic_set_page(v->vm, NULL);
}

void lkx_lapic_reset(struct lkx_vcpu *v, bool init)
{
	struct lkx_lapic *l = v->lapic;
	bool x2apic = lkx_lapic_x2apic(v);
	u32 i;

	lkx_lapic_recall(v);
	lkx_lapic_timer_stop(v);
	/* Not for a moment is it without its name: a STARTUP may come close behind the INIT. */
	for (i = 0; i < LAPIC_REGISTERS; i++)
		if (i != LAPIC_ID && (i != LAPIC_LDR || !x2apic))
			l->reg[i] = 0;
	for (i = 0; i < 4; i++) {
		l->isr[i] = 0;
		plat_store64(&l->irr[i], 0);
		plat_store64(&l->tmr[i], 0);
	}
	l->errors = 0;
	l->tsc_deadline = 0;
	l->eoi_offered = l->eoi_owed = l->extint_pending = l->unhalted = false;
	l->reg[LAPIC_VERSION] = VERSION;
	l->reg[LAPIC_DFR] = DFR_RESET;
	l->reg[LAPIC_SVR] = SVR_RESET;
	for (i = LAPIC_LVT_TIMER; i <= LAPIC_LVT_ERROR; i++)
		l->reg[i] = LAPIC_LVT_MASKED;
	/* As if firmware had already joined it to the interrupt controller in user space: KVM's way. */
	if (!init && (v->apic_base & APIC_BASE_BSP))
		l->reg[LAPIC_LVT_LINT0] = LINT_EXTINT;
	if (!init || x2apic)
		set_ids(v);
	v->cr8 = 0;
}

static u32 bank(const u64 bits[4], u32 index)
{
	return plat_load64(&bits[index / 2]) >> (index % 2 * 32);
}

static u32 read_register(struct lkx_vcpu *v, u32 reg)
{
	const struct lkx_lapic *l = v->lapic;

	if (reg == LAPIC_TIMER_CURRENT)
		return lkx_lapic_timer_count(v);
	lkx_lapic_recall(v);
	if (reg >= LAPIC_ISR && reg < LAPIC_TMR)
		return bank(l->isr, reg - LAPIC_ISR);
	if (reg >= LAPIC_TMR && reg < LAPIC_IRR)
		return bank(l->tmr, reg - LAPIC_TMR);
	if (reg >= LAPIC_IRR && reg < LAPIC_ESR)
		return bank(l->irr, reg - LAPIC_IRR);
	if (reg == LAPIC_PPR)
		return processor_priority(l);
	return l->reg[reg];
}

bool lkx_lapic_reads_plainly(u32 reg)
{
	return (rules[reg].access & MR) && !(reg >= LAPIC_TMR && reg < LAPIC_ESR) && reg != LAPIC_ICR && reg != LAPIC_TIMER_INITIAL &&
	       reg != LAPIC_TIMER_CURRENT;
}

bool lkx_lapic_read(struct lkx_vcpu *v, u32 reg, u64 *value, bool x2apic)
{
	*value = 0;
	if (reg >= LAPIC_REGISTERS || !(rules[reg].access & (x2apic ? MR : XR)))
		return true;
	lkx_lapic_see_eoi(v);
	*value = read_register(v, reg);
	if (x2apic && reg == LAPIC_ICR)
		*value |= (u64)v->lapic->reg[LAPIC_ICR2] << 32;
	return false;
}

void lkx_lapic_error(struct lkx_vcpu *v, u32 error)
{
	struct lkx_lapic *l = v->lapic;
	u32 lvt = l->reg[LAPIC_LVT_ERROR];

	l->errors |= error;
	/* An illegal vector here would be the next error, without end. */
	if (!(lvt & LAPIC_LVT_MASKED) && (lvt & 0xff) >= 16)
		lkx_lapic_interrupt(v, lvt, false);
}

static void set_svr(struct lkx_vcpu *v, u32 value)
{
	u32 *reg = v->lapic->reg, i;

	reg[LAPIC_SVR] = value;
	/* SDM vol. 3, 11.4.7.2. */
	for (i = LAPIC_LVT_TIMER; i <= LAPIC_LVT_ERROR && !(value & LAPIC_SVR_ENABLE); i++)
		reg[i] |= LAPIC_LVT_MASKED;
	lkx_request(v, LKX_REQUEST_LAPIC);
}

bool lkx_lapic_write(struct lkx_vcpu *v, u32 reg, u64 value, bool x2apic)
{
	struct lkx_lapic *l = v->lapic;
	u32 low = value;

	if (reg >= LAPIC_REGISTERS || !(rules[reg].access & (x2apic ? MW : XW))) {
		if (!x2apic && (reg >= LAPIC_REGISTERS || !rules[reg].access))
			lkx_lapic_error(v, LAPIC_ESR_BAD_REGISTER);
		return true;
	}
	/* SDM vol. 3, 11.12.1.3: reserved bits, and anything but 0 where only the write itself counts. */
	if (x2apic && ((value >> 32 && reg != LAPIC_ICR) || ((reg == LAPIC_EOI || reg == LAPIC_ESR) && value) ||
		       ((reg == LAPIC_TPR || reg == LAPIC_SELF_IPI) && value > 0xff)))
		return true;
	if (reg != LAPIC_ICR && reg != LAPIC_TIMER_INITIAL)
		lkx_lapic_recall(v);
	low &= rules[reg].bits;
	if (reg >= LAPIC_LVT_TIMER && reg <= LAPIC_LVT_ERROR && !(l->reg[LAPIC_SVR] & LAPIC_SVR_ENABLE))
		low |= LAPIC_LVT_MASKED;
	switch (reg) {
	case LAPIC_TPR:
		lkx_lapic_set_tpr(v, low);
		break;
	case LAPIC_EOI:
		lkx_lapic_see_eoi(v);
		end_of_interrupt(v);
		break;
	case LAPIC_DFR:
		l->reg[reg] = low | ~rules[reg].bits;
		break;
	case LAPIC_SVR:
		set_svr(v, low);
		break;
	case LAPIC_ESR:
		l->reg[reg] = l->errors;
		l->errors = 0;
		break;
	case LAPIC_ICR:
		l->reg[reg] = low;
		if (x2apic)
			l->reg[LAPIC_ICR2] = value >> 32;
		lkx_lapic_send(v, low, x2apic ? l->reg[LAPIC_ICR2] : l->reg[LAPIC_ICR2] >> 24);
		break;
	case LAPIC_SELF_IPI:
		lkx_lapic_interrupt(v, low, false);
		break;
	case LAPIC_LVT_TIMER:
		lkx_lapic_timer_set_mode(v, low);
		break;
	case LAPIC_TIMER_INITIAL:
		lkx_lapic_timer_start(v, low);
		break;
	case LAPIC_TIMER_DIVIDE:
		lkx_lapic_timer_set_divide(v, low);
		break;
	default:
		l->reg[reg] = low;
	}
	return false;
}

bool lkx_lapic_mmio(struct lkx_vcpu *v, u64 gpa, u8 *data, u8 len, bool write)
{
	u64 offset = gpa - (v->apic_base & ~(u64)(LAPIC_PAGE - 1)), value = 0;
	unsigned int in_register = gpa & 15;

	if (offset >= LAPIC_PAGE || !lkx_lapic_enabled(v) || lkx_lapic_x2apic(v))
		return false;
	if (write) {
		lkx_lapic_recall(v);
		/* What is no write of 32 bits at a register's beginning has no effect. SDM vol. 3, 11.4.1. */
		memcpy(&value, data, min_t(u8, len, 4));
		if (len == 4 && !in_register)
			lkx_lapic_write(v, offset / 16, value, false);
		return true;
	}
	memset(data, 0, len);
	if (in_register + len > 4)
		return true;
	lkx_lapic_read(v, offset / 16, &value, false);
	memcpy(data, (u8 *)&value + in_register, len);
	return true;
}

static u32 *state_register(struct kvm_lapic_state *s, u32 reg)
{
	return (u32 *)(s->regs + reg * 16);
}

void lkx_lapic_get(struct lkx_vcpu *v, struct kvm_lapic_state *s)
{
	u32 reg;

	/* A timer that ran out since the vCPU ran shows in IRR: whoever takes this state elsewhere must find it. */
	lkx_lapic_timer_expired(v);
	memset(s, 0, sizeof(*s));
	for (reg = 0; reg < LAPIC_REGISTERS; reg++)
		*state_register(s, reg) = read_register(v, reg);
	if (lkx_lapic_x2apic(v) && !(v->vm->x2apic_api & KVM_X2APIC_API_USE_32BIT_IDS))
		*state_register(s, LAPIC_ID) <<= 24;
}

int lkx_lapic_set(struct lkx_vcpu *v, const struct kvm_lapic_state *state)
{
	struct kvm_lapic_state *s = (struct kvm_lapic_state *)state;
	bool x2apic = lkx_lapic_x2apic(v);
	struct lkx_lapic *l = v->lapic;
	u32 reg, i;

	if (x2apic && (v->vm->x2apic_api & KVM_X2APIC_API_USE_32BIT_IDS) && *state_register(s, LAPIC_ID) != v->id)
		return -EINVAL;
	lkx_lapic_recall(v);
	lkx_lapic_timer_stop(v);
	for (reg = 0; reg < LAPIC_REGISTERS; reg++)
		if (rules[reg].bits)
			l->reg[reg] = *state_register(s, reg) & rules[reg].bits;
	l->reg[LAPIC_ESR] = *state_register(s, LAPIC_ESR);
	l->reg[LAPIC_DFR] |= ~rules[LAPIC_DFR].bits;
	if (x2apic) {
		l->reg[LAPIC_ICR2] = *state_register(s, LAPIC_ICR2);
		set_ids(v);
	}
	for (i = 0; i < 4; i++) {
		l->isr[i] = *state_register(s, LAPIC_ISR + 2 * i) | (u64)*state_register(s, LAPIC_ISR + 2 * i + 1) << 32;
		plat_store64(&l->tmr[i], *state_register(s, LAPIC_TMR + 2 * i) |
						 (u64)*state_register(s, LAPIC_TMR + 2 * i + 1) << 32);
		plat_store64(&l->irr[i], *state_register(s, LAPIC_IRR + 2 * i) |
						 (u64)*state_register(s, LAPIC_IRR + 2 * i + 1) << 32);
	}
	lkx_lapic_set_tpr(v, l->reg[LAPIC_TPR]);
	if (v->lapic->tsc_deadline)
		lkx_lapic_set_deadline(v, v->lapic->tsc_deadline);
	else if (*state_register(s, LAPIC_TIMER_CURRENT))
		lkx_lapic_timer_resume(v, *state_register(s, LAPIC_TIMER_CURRENT));
	return 0;
}
