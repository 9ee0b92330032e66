// SPDX-License-Identifier: MIT OR GPL-2.0-only
// LIKEX_CREATE, which stock KVM hasn't: whatever is wrong with a part of it, nothing is made, and no descriptor is left.
#include "rows.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../../kmod/include/uapi/likex.h"

enum { LEFT_A_DESCRIPTOR = 1000, UNKNOWN_FLAG = 4 };

// One that works: the setup's memory in slot 0, and vCPU 0.
static struct likex_create good(struct setup *s)
{
	return (struct likex_create){
		.size = sizeof(struct likex_create), .memslots = 1,
		.memslot = { { .memory_size = MEMORY_SIZE, .userspace_addr = (uintptr_t)s->memory } },
	};
}

static int next_descriptor(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static long create(struct setup *s, void *argument)
{
	int before = next_descriptor(), result = ioctl(s->system, LIKEX_CREATE, argument);

	return result < 0 && next_descriptor() != before ? LEFT_A_DESCRIPTOR : result;
}

#define CHANGED(NAME, change) ROW(create_##NAME) { struct likex_create c = good(s); change; return create(s, &c); }

CHANGED(good, )
CHANGED(old_answer, memset(&c.created, 0xff, sizeof(c.created)))
CHANGED(no_slot, c.memslots = 0)
CHANGED(size_0, c.size = 0)
CHANGED(size_one_less, c.size--)
CHANGED(size_huge, c.size = 0xffffffff)
CHANGED(unknown_flag, c.flags = UNKNOWN_FLAG)
CHANGED(too_many_slots, c.memslots = LIKEX_CREATE_MEMSLOTS + 1)
CHANGED(slots_huge, c.memslots = 0xffffffff)
CHANGED(reserved, c.reserved[3] = 1)
CHANGED(vcpu_id_64, c.vcpu_id = LIKEX_MAX_VCPU_IDS)
CHANGED(slot_not_aligned, c.memslot[0].userspace_addr++)
CHANGED(slot_unknown_flag, c.memslot[0].flags = 1u << 31)
CHANGED(slot_kernel_address, c.memslot[0].userspace_addr = KERNEL_ADDRESS)
CHANGED(slot_deleted_before_it_is, c.memslot[0].memory_size = 0)
CHANGED(slots_overlap, c.memslots = 2; c.memslot[1] = c.memslot[0]; c.memslot[1].slot = 1)
CHANGED(slot_not_counted, c.memslot[1].userspace_addr = 1)
CHANGED(cpuid_not_there, c.cpuid = (uintptr_t)closed_page())
CHANGED(cpuid_kernel_address, c.cpuid = KERNEL_ADDRESS)
CHANGED(cpuid_huge_count, struct kvm_cpuid2 cpuid = { .nent = 0xffffffff }; c.cpuid = (uintptr_t)&cpuid)
CHANGED(sregs_reserved, c.flags = LIKEX_CREATE_SREGS; ioctl(s->vcpu, KVM_GET_SREGS, &c.sregs); c.sregs.cr4 |= 1ull << 63)
CHANGED(sregs_not_counted, c.sregs.cr4 = ~0ull)
CHANGED(regs_not_counted, c.regs.rflags = ~0ull)

ROW(create_null) { return create(s, NULL); }
ROW(create_kernel_address) { return create(s, (void *)KERNEL_ADDRESS); }
ROW(create_on_vm) { struct likex_create c = good(s); return ioctl(s->vm, LIKEX_CREATE, &c); }
ROW(create_on_vcpu) { struct likex_create c = good(s); return ioctl(s->vcpu, LIKEX_CREATE, &c); }

// `size` bytes of a good one, with `behind` of one value more that `size` says are there, before a page without rights.
static long create_larger(struct setup *s, uint32_t behind, int value, uint32_t said)
{
	struct likex_create c = good(s);
	uint8_t *at = before_closed_page(sizeof(c) + behind);

	c.size = sizeof(c) + said;
	memcpy(at, &c, sizeof(c));
	memset(at + sizeof(c), value, behind);
	return create(s, at);
}

ROW(create_of_the_future) { return create_larger(s, 64, 0, 64); }
ROW(create_of_the_future_in_use) { return create_larger(s, 64, 1, 64); }
ROW(create_cut_off_behind) { return create_larger(s, 32, 0, 64); }
ROW(create_cut_off)
{
	uint32_t *at = before_closed_page(sizeof(struct likex_create) - 8);

	*at = sizeof(struct likex_create);
	return create(s, at);
}
// All of it could be read, and not where the answer goes: it is written last.
ROW(create_readonly)
{
	uint32_t *at = before_closed_page(0x1000);
	struct likex_create c = good(s);

	memcpy(at, &c, sizeof(c));
	if (mprotect(at, 0x1000, PROT_READ))
		return -1;
	return create(s, at);
}
