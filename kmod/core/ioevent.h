/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Addresses whose writes are told to an eventfd and not to KVM_RUN's caller (KVM_IOEVENTFD): which they are, and whether a
 * write is one of them. What is behind an event is the platform's (plat_ioevent_signal).
 */
#ifndef LKX_IOEVENT_H
#define LKX_IOEVENT_H

#include "vm.h"

enum lkx_ioevent_bus { LKX_IOEVENT_MMIO, LKX_IOEVENT_PIO };

struct lkx_ioevent {
	u64 addr;      /* of the write's first byte: a port, or guest physical */
	u64 datamatch; /* counts with `matches` only */
	u8 bus;        /* enum lkx_ioevent_bus */
	u8 len;        /* of the write: 1, 2, 4, 8, or 0 for any */
	bool matches;  /* only writes of `datamatch` */
	void *target;  /* whom to tell; the platform's */
};

/* One state of all events of a VM, sorted by bus and address, never changed after it is published: as struct lkx_memslots. */
struct lkx_ioevents {
	struct plat_rcu_head rcu;
	u32 count;
	struct lkx_ioevent event[];
};

/* More than this many of a VM: -ENOSPC. */
#define LKX_MAX_IOEVENTS 4096

/*
 * What KVM_IOEVENTFD asks for, as an event without its target. Checks only. 0, or -EINVAL: a length that no access has, a range past
 * the last address, unknown flags (also those of other architectures), a value to match in a write of any length.
 */
int lkx_ioevent_decode(const struct kvm_ioeventfd *args, struct lkx_ioevent *event);

/*
 * Adds one. Called with vm's slots lock held. 0, -EEXIST (a write may meet both this and one that is there), -ENOSPC, -ENOMEM.
 */
int lkx_ioevent_add(struct lkx_vm *vm, const struct lkx_ioevent *event);

/*
 * Takes out the one that `asked` equals in all but the target, and whose target `same` says is the one that is meant. Called with vm's
 * slots lock held. 0, and its target is in *target: readers may hold it until a grace period is over. -ENOENT, -ENOMEM.
 */
int lkx_ioevent_remove(struct lkx_vm *vm, const struct lkx_ioevent *asked, bool (*same)(void *target, void *context),
		       void *context, void **target);

/* The guest wrote the `len` bytes at `data` to `addr`: true where an event took it, and was told. Takes no lock. */
bool lkx_ioevent_write_slow(struct lkx_vm *vm, enum lkx_ioevent_bus bus, u64 addr, unsigned int len, const void *data);
static inline bool lkx_ioevent_write(struct lkx_vm *vm, enum lkx_ioevent_bus bus, u64 addr, unsigned int len, const void *data)
{
	/* Most VMs have none. Who adds one while a guest writes cannot know on which side of it the write falls. */
	return unlikely(plat_read_once(vm->ioevents) != NULL) && lkx_ioevent_write_slow(vm, bus, addr, len, data);
}

/* No vCPU is left: frees the table, each target first given to `release`. */
void lkx_ioevents_destroy(struct lkx_vm *vm, void (*release)(void *target));

#endif
