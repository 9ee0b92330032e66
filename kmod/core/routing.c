// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "routing.h"
#include "lapic.h"

#define DATA_VECTOR 0xffu
#define DATA_LEVEL BIT(15)

int lkx_routing_make(struct lkx_vm *vm, const struct kvm_irq_routing_entry *entry, u32 count, struct lkx_routes **routes)
{
	struct lkx_routes *new_routes;
	u32 last = 0, i;

	for (i = 0; i < count; i++) {
		if (entry[i].gsi >= LIKEX_MAX_IRQ_ROUTES)
			return -EINVAL;
		last = max(last, entry[i].gsi);
	}
	new_routes = plat_alloc(vm->hw, sizeof(*new_routes) + (last + 1) * sizeof(new_routes->route[0]));
	if (!new_routes)
		return -ENOMEM;
	new_routes->count = last + 1;
	new_routes->pins = min(last + 1, vm->ioapic_pins);
	for (i = 0; i < count; i++) {
		const struct kvm_irq_routing_entry *e = &entry[i];
		struct lkx_route *route = &new_routes->route[e->gsi];
		u32 data = e->u.msi.data, vector = data & DATA_VECTOR;

		if (e->type != KVM_IRQ_ROUTING_MSI || (e->flags & ~KVM_MSI_VALID_DEVID) || route->routed ||
		    !lkx_message_ok(vm, e->u.msi.address_hi)) {
			plat_free(vm->hw, new_routes);
			return -EINVAL;
		}
		*route = (struct lkx_route){ (u64)e->u.msi.address_hi << 32 | e->u.msi.address_lo, data, true };
		if (e->gsi < new_routes->pins && (data & DATA_LEVEL))
			new_routes->level[vector / 64] |= BIT_ULL(vector % 64);
	}
	*routes = new_routes;
	return 0;
}

void lkx_routing_replace(struct lkx_vm *vm, struct lkx_routes *routes)
{
	struct lkx_routes *old = plat_rcu_load_locked(vm->hw, vm->routes, plat_slots_locked(vm));
	u32 i;

	plat_rcu_store(vm->hw, vm->routes, routes);
	if (old)
		plat_free_deferred(vm->hw, old, rcu);
	/* When this returns, none runs whose processor does not know. */
	for (i = 0; vm->caps->virtual_interrupts && i < lkx_vm_vcpus(vm); i++)
		lkx_lapic_post(vm->vcpu[i], LKX_POSTED_ROUTES);
	if (i)
		plat_kick_guests(vm);
}

void lkx_routing_destroy(struct lkx_vm *vm)
{
	plat_free(vm->hw, plat_rcu_load_locked(vm->hw, vm->routes, true));
}

int lkx_routing_deliver(struct lkx_vm *vm, u32 gsi)
{
	struct lkx_route route = { .routed = false };
	const struct lkx_routes *table;

	plat_rcu_lock(vm->hw);
	table = plat_rcu_load(vm->hw, vm->routes);
	if (table && gsi < table->count)
		route = table->route[gsi];
	plat_rcu_unlock(vm->hw);
	return route.routed ? lkx_lapic_message(vm, route.address, route.data) : -1;
}

bool lkx_routing_wants_eoi(struct lkx_vcpu *v, u8 vector, bool level)
{
	const struct lkx_routes *table;
	bool wants = false;
	u32 i;

	plat_rcu_lock(v->hw);
	table = plat_rcu_load(v->hw, v->vm->routes);
	/* Nearly every interrupt is an edge. */
	if (table && (table->level[vector / 64] & BIT_ULL(vector % 64)))
		for (i = 0; i < table->pins && !wants; i++) {
			const struct lkx_route *r = &table->route[i];

			wants = r->routed && (r->data & DATA_LEVEL) && (r->data & DATA_VECTOR) == vector &&
				(level || lkx_lapic_message_matches(v, r->address, r->data));
		}
	plat_rcu_unlock(v->hw);
	return wants;
}
