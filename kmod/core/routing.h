/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which message each global interrupt number (GSI) stands for: KVM_SET_GSI_ROUTING, of a VM with split irqchip. The I/O APIC is user space's, so
 * every route is a message. The first numbers are that I/O APIC's pins: user space is told when a level-triggered one of theirs is over.
 */
#ifndef LKX_ROUTING_H
#define LKX_ROUTING_H

#include "vcpu.h"

struct lkx_route {
	u64 address;
	u32 data;
	bool routed;
};

/* One state of all routes, by number, never changed after it is published: as struct lkx_memslots. */
struct lkx_routes {
	struct plat_rcu_head rcu;
	u64 level[4];   /* vectors of level-triggered messages that pins send */
	u32 count, pins;
	struct lkx_route route[];
};

/* Is that a message's upper half? With 32-bit APIC IDs it has their upper 24 bits, and nothing below. */
static inline bool lkx_message_ok(const struct lkx_vm *vm, u32 address_hi)
{
	return !(plat_load32(&vm->x2apic_api) & KVM_X2APIC_API_USE_32BIT_IDS) || !(address_hi & 0xff);
}

/*
 * The whole table from the `count` entries that user space gave. 0, and the table is in *routes; -ENOMEM; -EINVAL: a number past the last one, one
 * twice, another kind than a message, flags, what is no message with 32-bit APIC IDs.
 */
int lkx_routing_make(struct lkx_vm *vm, const struct kvm_irq_routing_entry *entry, u32 count, struct lkx_routes **routes);
/* Takes it over, and puts it in the place of the last. The slots lock is held. Waits for nobody. */
void lkx_routing_replace(struct lkx_vm *vm, struct lkx_routes *routes);
/* Nobody delivers any more. */
void lkx_routing_destroy(struct lkx_vm *vm);

/* The interrupt `gsi`, from any context. How many vCPUs took it; -1 where it has no route. */
int lkx_routing_deliver(struct lkx_vm *vm, u32 gsi);

/*
 * Is `vector`, whose interrupt is over at v, one that a pin sends there, level-triggered? Or, where it came as a `level`, sent before its route
 * went to another?
 */
bool lkx_routing_wants_eoi(struct lkx_vcpu *v, u8 vector, bool level);

#endif
