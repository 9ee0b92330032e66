// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "ioevent.h"

#define KNOWN_FLAGS (KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN)

int lkx_ioevent_decode(const struct kvm_ioeventfd *args, struct lkx_ioevent *event)
{
	if (args->len != 0 && args->len != 1 && args->len != 2 && args->len != 4 && args->len != 8)
		return -EINVAL;
	if (args->addr + args->len < args->addr)
		return -EINVAL;
	if (args->flags & ~KNOWN_FLAGS)
		return -EINVAL;
	if (!args->len && (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH))
		return -EINVAL;
	*event = (struct lkx_ioevent){
		.addr = args->addr,
		.bus = args->flags & KVM_IOEVENTFD_FLAG_PIO ? LKX_IOEVENT_PIO : LKX_IOEVENT_MMIO,
		.len = args->len,
		.matches = args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH,
		.datamatch = args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH ? args->datamatch : 0,
	};
	return 0;
}

/* The order of the table. Events of one address lie together, in the order in which they came. */
static bool before(const struct lkx_ioevent *a, enum lkx_ioevent_bus bus, u64 addr)
{
	return a->bus != bus ? a->bus < bus : a->addr < addr;
}

/* The first event that is not before: those of (bus, addr) begin there, if there are any. */
static u32 first_at(const struct lkx_ioevents *table, enum lkx_ioevent_bus bus, u64 addr)
{
	u32 low = 0, high = table->count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (before(&table->event[middle], bus, addr))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct lkx_ioevents *table, u32 i, enum lkx_ioevent_bus bus, u64 addr)
{
	return i < table->count && table->event[i].bus == bus && table->event[i].addr == addr;
}

/* Is there a write that would be both's? */
static bool collide(const struct lkx_ioevent *a, const struct lkx_ioevent *b)
{
	if (!a->len || !b->len)
		return true;
	return a->len == b->len && (!a->matches || !b->matches || a->datamatch == b->datamatch);
}

/* vm's slots lock. */
static void publish(struct lkx_vm *vm, struct lkx_ioevents *old, struct lkx_ioevents *new)
{
	plat_rcu_store(vm->hw, vm->ioevents, new);
	if (old)
		plat_free_deferred(vm->hw, old, rcu);
}

int lkx_ioevent_add(struct lkx_vm *vm, const struct lkx_ioevent *event)
{
	struct lkx_ioevents *old = plat_rcu_load_locked(vm->hw, vm->ioevents, plat_slots_locked(vm)), *new;
	u32 count = old ? old->count : 0, at = 0, i;

	if (old) {
		for (at = first_at(old, event->bus, event->addr); is_at(old, at, event->bus, event->addr); at++)
			if (collide(&old->event[at], event))
				return -EEXIST;
	}
	if (count >= LKX_MAX_IOEVENTS)
		return -ENOSPC;
	new = plat_alloc(vm->hw, sizeof(*new) + (count + 1) * sizeof(new->event[0]));
	if (!new)
		return -ENOMEM;
	new->count = count + 1;
	for (i = 0; i < at; i++)
		new->event[i] = old->event[i];
	new->event[at] = *event;
	for (i = at; i < count; i++)
		new->event[i + 1] = old->event[i];
	publish(vm, old, new);
	return 0;
}

int lkx_ioevent_remove(struct lkx_vm *vm, const struct lkx_ioevent *asked, bool (*same)(void *target, void *context),
		       void *context, void **target)
{
	struct lkx_ioevents *old = plat_rcu_load_locked(vm->hw, vm->ioevents, plat_slots_locked(vm)), *new = NULL;
	u32 at, i;

	if (!old)
		return -ENOENT;
	for (at = first_at(old, asked->bus, asked->addr); is_at(old, at, asked->bus, asked->addr); at++) {
		const struct lkx_ioevent *e = &old->event[at];

		if (e->len == asked->len && e->matches == asked->matches && e->datamatch == asked->datamatch &&
		    same(e->target, context))
			break;
	}
	if (!is_at(old, at, asked->bus, asked->addr))
		return -ENOENT;
	*target = old->event[at].target;
	if (old->count > 1) {
		new = plat_alloc(vm->hw, sizeof(*new) + (old->count - 1) * sizeof(new->event[0]));
		if (!new)
			return -ENOMEM;
		new->count = old->count - 1;
		for (i = 0; i < new->count; i++)
			new->event[i] = old->event[i < at ? i : i + 1];
	}
	publish(vm, old, new);
	return 0;
}

static bool takes(const struct lkx_ioevent *e, unsigned int len, const void *data)
{
	u64 value = 0;

	if (!e->len)
		return true;
	if (e->len != len)
		return false;
	if (!e->matches)
		return true;
	/* Whole: bits of `datamatch` above the width of the write match nothing, as on stock KVM. */
	memcpy(&value, data, e->len);
	return value == e->datamatch;
}

bool lkx_ioevent_write_slow(struct lkx_vm *vm, enum lkx_ioevent_bus bus, u64 addr, unsigned int len, const void *data)
{
	const struct lkx_ioevents *table;
	bool taken = false;
	u32 i;

	plat_rcu_lock(vm->hw);
	table = plat_rcu_load(vm->hw, vm->ioevents);
	if (table) {
		for (i = first_at(table, bus, addr); !taken && is_at(table, i, bus, addr); i++) {
			if (takes(&table->event[i], len, data)) {
				plat_ioevent_signal(vm, table->event[i].target);
				taken = true;
			}
		}
	}
	plat_rcu_unlock(vm->hw);
	return taken;
}

void lkx_ioevents_destroy(struct lkx_vm *vm, void (*release)(void *target))
{
	struct lkx_ioevents *old = plat_rcu_load_locked(vm->hw, vm->ioevents, true);
	u32 i;

	plat_rcu_store(vm->hw, vm->ioevents, NULL);
	for (i = 0; old && i < old->count; i++)
		release(old->event[i].target);
	if (old)
		plat_free_deferred(vm->hw, old, rcu);
}
