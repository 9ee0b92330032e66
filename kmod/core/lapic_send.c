// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Interrupts and the rest of what APICs tell each other: whom a message names, and what it does there. SDM vol. 3, 11.6 and 11.11. */
#include "lapic.h"

#define ICR_LOGICAL BIT(11)
#define ICR_ASSERT BIT(14)
#define ICR_LEVEL BIT(15)
#define ICR_SHORTHAND(icr) (((icr) >> 18) & 3)
enum { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

#define MSI_LOGICAL BIT_ULL(2)
#define MSI_REDIRECT BIT_ULL(3)
#define DFR_FLAT 0xfu

#define BROADCAST_BYTE 0xffu
#define BROADCAST (~0u)

struct message {
	u32 destination;
	bool logical;
	bool byte;  /* 0xff is everybody, in x2APIC mode too */
	bool level;
	bool lowest;
	u8 mode;    /* enum lkx_delivery */
	u8 vector;
};

void lkx_lapic_post(struct lkx_vcpu *v, u64 what)
{
	u64 *posted = &v->lapic->posted, old, new_value;

	do {
		old = plat_load64(posted);
		new_value = old;
		/* INIT forgets a STARTUP that came before it; of two STARTUPs the later one's vector counts. */
		if (what & LKX_POSTED_INIT)
			new_value &= ~(LKX_POSTED_STARTUP | LKX_POSTED_STARTUP_VECTOR);
		if (what & LKX_POSTED_STARTUP)
			new_value &= ~LKX_POSTED_STARTUP_VECTOR;
		new_value |= what;
	} while (plat_cmpxchg64(posted, old, new_value) != old);
	lkx_request(v, LKX_REQUEST_LAPIC);
	plat_notify(v, false);
}

/* True where it was clear. */
static bool set_bit_of(u64 bits[4], u8 vector, bool value)
{
	u64 *word = &bits[vector / 64], bit = BIT_ULL(vector % 64), old;

	do {
		old = plat_load64(word);
		if (!!(old & bit) == value)
			return false;
	} while (plat_cmpxchg64(word, old, old ^ bit) != old);
	return true;
}

bool lkx_lapic_interrupt(struct lkx_vcpu *v, u8 vector, bool level)
{
	struct lkx_lapic *l = v->lapic;

	if (!lkx_lapic_enabled(v) || !(plat_load32(&l->reg[LAPIC_SVR]) & LAPIC_SVR_ENABLE))
		return false;
	if (vector < 16) {
		lkx_lapic_post(v, LKX_POSTED_BAD_VECTOR);
		return false;
	}
	set_bit_of(l->tmr, vector, level);
	/*
	 * Who set it before sees to it that the vCPU looks. The request is made also where its processor delivers the interrupt by itself: it may
	 * have left the guest before it was notified.
	 */
	if (set_bit_of(l->irr, vector, true)) {
		lkx_request(v, LKX_REQUEST_LAPIC);
		plat_notify(v, lkx_lapic_is_posted_to(v));
	}
	return true;
}

/* SDM vol. 3, 11.6.2. */
static bool named(const struct lkx_vcpu *v, const struct message *m)
{
	const struct lkx_lapic *l = v->lapic;
	u32 to = m->destination, ldr = plat_load32(&l->reg[LAPIC_LDR]), id = plat_load32(&l->reg[LAPIC_ID]);

	if (!lkx_lapic_enabled(v))
		return false;
	if (lkx_lapic_x2apic(v)) {
		if (to == BROADCAST || (to == BROADCAST_BYTE && m->byte))
			return true;
		return m->logical ? (to >> 16) == (ldr >> 16) && (to & ldr & 0xffff) : to == id;
	}
	if (to == BROADCAST || to == BROADCAST_BYTE)
		return true;
	ldr >>= 24;
	if (!m->logical)
		return to == id >> 24;
	if (plat_load32(&l->reg[LAPIC_DFR]) >> 28 == DFR_FLAT)
		return to & ldr;
	return (to >> 4) == (ldr >> 4) && (to & ldr & 15);
}

static bool accept(struct lkx_vcpu *v, const struct message *m)
{
	switch (m->mode) {
	case DELIVERY_FIXED:
	case DELIVERY_LOWEST:
		return lkx_lapic_interrupt(v, m->vector, m->level);
	case DELIVERY_NMI:
		lkx_lapic_post(v, LKX_POSTED_NMI);
		return true;
	case DELIVERY_INIT:
		lkx_lapic_post(v, LKX_POSTED_INIT);
		return true;
	case DELIVERY_STARTUP:
		lkx_lapic_post(v, LKX_POSTED_STARTUP | (u64)m->vector << 8);
		return true;
	}
	return false; /* no SMM; nothing has ExtINT's vector here */
}

/* To all of the VM's that are named, but `except`; with lowest priority to one of them. */
static int deliver(struct lkx_vm *vm, const struct message *m, const struct lkx_vcpu *except)
{
	u32 count = lkx_vm_vcpus(vm), i;
	struct lkx_vcpu *best = NULL;
	int took = 0;

	for (i = 0; i < count; i++) {
		struct lkx_vcpu *v = vm->vcpu[i];

		if (v == except || !named(v, m))
			continue;
		if (!m->lowest)
			took += accept(v, m);
		else if ((plat_load32(&v->lapic->reg[LAPIC_SVR]) & LAPIC_SVR_ENABLE) &&
			 (!best || plat_load32(&v->lapic->lowest_taken) < plat_load32(&best->lapic->lowest_taken)))
			best = v;
	}
	if (best) {
		plat_store32(&best->lapic->lowest_taken, best->lapic->lowest_taken + 1);
		took = accept(best, m);
	}
	return took;
}

static struct message message_of(struct lkx_vm *vm, u64 address, u32 data)
{
	bool wide = vm->x2apic_api & KVM_X2APIC_API_USE_32BIT_IDS;
	u8 mode = (data >> 8) & 7;

	return (struct message){
		.destination = ((address >> 12) & 0xff) | (wide ? (u32)(address >> 32) & ~0xffu : 0),
		.logical = address & MSI_LOGICAL,
		.byte = !(vm->x2apic_api & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK),
		.level = data & ICR_LEVEL,
		.lowest = mode == DELIVERY_LOWEST || (mode == DELIVERY_FIXED && (address & MSI_REDIRECT)),
		.mode = mode,
		.vector = data,
	};
}

int lkx_lapic_message(struct lkx_vm *vm, u64 address, u32 data)
{
	struct message m = message_of(vm, address, data);

	return deliver(vm, &m, NULL);
}

bool lkx_lapic_message_matches(struct lkx_vcpu *v, u64 address, u32 data)
{
	struct message m = message_of(v->vm, address, data);

	return named(v, &m);
}

void lkx_lapic_send(struct lkx_vcpu *v, u32 icr, u32 destination)
{
	u8 mode = (icr >> 8) & 7, shorthand = ICR_SHORTHAND(icr);
	struct message m = {
		.destination = shorthand == TO_DESTINATION ? destination : BROADCAST,
		.logical = icr & ICR_LOGICAL,
		.byte = !lkx_lapic_x2apic(v),
		.level = (icr & ICR_LEVEL) && (icr & ICR_ASSERT),
		.lowest = mode == DELIVERY_LOWEST,
		.mode = mode,
		.vector = icr,
	};

	/* INIT level de-assert is of processors that shared a bus: nothing happens. */
	if (mode == DELIVERY_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
		return;
	if (m.vector < 16 && (mode == DELIVERY_FIXED || mode == DELIVERY_LOWEST))
		lkx_lapic_error(v, LAPIC_ESR_BAD_VECTOR_SENT);
	else if (shorthand == TO_SELF)
		accept(v, &m);
	else
		deliver(v->vm, &m, shorthand == TO_OTHERS ? v : NULL);
}

struct lkx_vcpu *lkx_lapic_find(struct lkx_vm *vm, u32 id)
{
	u32 count = lkx_vm_vcpus(vm), i;

	for (i = 0; i < count; i++) {
		struct lkx_vcpu *v = vm->vcpu[i];
		u32 its = plat_load32(&v->lapic->reg[LAPIC_ID]);

		if ((lkx_lapic_x2apic(v) ? its : its >> 24) == id)
			return v;
	}
	return NULL;
}
