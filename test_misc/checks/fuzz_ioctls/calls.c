// SPDX-License-Identifier: MIT OR GPL-2.0-only
// One step of a thread. Which ioctls there are is the module's own table: a new one is fuzzed from the day it is in there.
#include "fuzz.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../kmod/include/uapi/likex.h"

#define LKX_IOCTL(name, scope) { #name, name },
const struct call calls[] = {
#include "../../../kmod/include/tables/ioctls.def"
};
#undef LKX_IOCTL
enum { CALLS = sizeof(calls) / sizeof(calls[0]), SIZE_UNKNOWN = 256 };
const size_t call_count = CALLS;
atomic_ulong tried[CALLS], worked[CALLS];

static int count(size_t index, int result)
{
	atomic_fetch_add_explicit(&tried[index], 1, memory_order_relaxed);
	if (result >= 0)
		atomic_fetch_add_explicit(&worked[index], 1, memory_order_relaxed);
	return result;
}

static int call(int fd, unsigned long request, void *argument)
{
	size_t index = 0;

	while (index + 1 < CALLS && calls[index].request != request)
		index++;
	return count(index, ioctl(fd, request, argument));
}

// Slots are of the guests' memory only: another would be this program's own.
static struct kvm_userspace_memory_region region(struct random *r)
{
	return (struct kvm_userspace_memory_region){
		.slot = random_below(r, random_below(r, 16) ? 4 : 0x20000),
		.flags = random_below(r, 4) ? 0 : random_below(r, random_below(r, 4) ? 4 : 256),
		.guest_phys_addr = random_below(r, 16) ? random_below(r, 8) * PAGE : random_next(r),
		.memory_size = random_below(r, 8) ? (random_below(r, GUEST_PAGES) + 1) * PAGE : 0,
		.userspace_addr = memory_guest_page(r),
	};
}

static bool sets_region(const struct call *c)
{
	return !strncmp(c->name, "KVM_SET_USER_MEMORY_REGION", 26);
}

// Every ioctl that makes slots, whose structs begin alike. Never by a struct that others write to: its address could become one of this program.
static void set_region(int fd, struct random *r)
{
	union { struct kvm_userspace_memory_region region; uint64_t whole[32]; } value = { .whole = { 0 } };
	size_t index = random_below(r, CALLS);

	value.region = region(r);
	while (!sets_region(&calls[index]))
		index = (index + 1) % CALLS;
	call(fd, calls[index].request, random_below(r, 16) ? &value : memory_nowhere(r));
}

static void create_vm(struct random *r)
{
	int fd = call(files_pick(SYSTEMS, r), KVM_CREATE_VM, (void *)(uintptr_t)(random_below(r, 16) == 0));

	if (fd >= 0)
		files_keep(VMS, fd, r);
}

static void create_vcpu(int on, struct random *r)
{
	int fd = call(on, KVM_CREATE_VCPU, (void *)(uintptr_t)random_below(r, random_below(r, 8) ? 4 : 80));

	if (fd >= 0) {
		memory_map_run(fd, r);
		files_keep(VCPUS, fd, r);
	}
}

static void create_at_once(struct random *r)
{
	struct likex_create value = { .size = sizeof(value), .memslots = random_below(r, 4), .vcpu_id = random_below(r, 70) }, *at;
	uint32_t junk = random_next(r);

	for (uint32_t i = 0; i < value.memslots; i++)
		value.memslot[i] = region(r);
	if (random_below(r, 4) == 0)
		value.cpuid = (uintptr_t)memory_argument(r, 64);
	if (random_below(r, 2)) {
		value.flags = LIKEX_CREATE_REGS;
		value.regs.rflags = 2;
		value.regs.rip = random_below(r, 0x8000);
	}
	if (random_below(r, 16) == 0)
		value.flags |= random_below(r, 16);
	if (random_below(r, 8) == 0)
		memcpy((char *)&value + random_below(r, sizeof(value) - 4), &junk, 4);
	// Whatever the junk hit, slots stay the guests' memory.
	for (uint32_t i = 0; i < LIKEX_CREATE_MEMSLOTS; i++)
		value.memslot[i].userspace_addr = memory_guest_page(r);

	at = random_below(r, 4) ? &value : memory_argument(r, sizeof(value));
	if (at != &value && !memory_store(at, &value, sizeof(value)))
		at = &value;
	if (call(files_pick(SYSTEMS, r), LIKEX_CREATE, at) < 0 || at != &value)
		return;
	memory_map_run(value.created.vcpu_fd, r);
	files_keep(VCPUS, value.created.vcpu_fd, r);
	files_keep(VMS, value.created.vm_fd, r);
}

// A mask that lets the signals through that end a KVM_RUN: a guest may spin for ever.
static void set_signal_mask(int fd, struct random *r)
{
	struct { struct kvm_signal_mask head; uint64_t set; } __attribute__((packed)) value = { .head = { .len = 8 }, .set = random_next(r) };

	value.set &= ~(1ull << (SIGUSR1 - 1) | 1ull << (SIGALRM - 1));
	call(fd, KVM_SET_SIGNAL_MASK, random_below(r, 4) ? &value : NULL);
}

// Real mode, where the guests' code makes sense.
static void start_vcpu(int fd, struct random *r)
{
	struct kvm_regs regs = { .rip = random_below(r, 0x8000), .rsp = 0x7000, .rflags = random_below(r, 2) ? 2 : 0x202 };
	struct kvm_sregs sregs;

	if (call(fd, KVM_GET_SREGS, &sregs) < 0)
		return;
	sregs.cs.base = sregs.cs.selector = 0;
	if (random_below(r, 8) == 0)
		((uint32_t *)&sregs)[random_below(r, sizeof(sregs) / 4)] ^= 1u << random_below(r, 32);
	call(fd, KVM_SET_SREGS, &sregs);
	call(fd, KVM_SET_REGS, &regs);
}

// A file of a VM or a vCPU, or, LiKeX's way, the system's in its place.
static int pick(enum kind kind, struct random *r)
{
	return files_pick(random_below(r, 4) ? kind : random_below(r, KINDS), r);
}

static void any_call(struct random *r)
{
	const struct call *c = &calls[random_below(r, CALLS)];
	size_t size = _IOC_SIZE(c->request) ? _IOC_SIZE(c->request) : SIZE_UNKNOWN;
	int fd, result;

	if (sets_region(c))
		return;
	switch (c->request) {
	case KVM_CREATE_VM:
	case KVM_CREATE_VCPU:
	case LIKEX_CREATE: // their files would be lost
	case KVM_SET_SIGNAL_MASK:
		return;
	case KVM_RUN:
		call(pick(VCPUS, r), KVM_RUN, (void *)(uintptr_t)(random_below(r, 32) == 0));
		return;
	}
	// All three kinds alike: what is no such file's must be refused by it.
	fd = files_pick(random_below(r, KINDS), r);
	if (c->request == KVM_CHECK_EXTENSION)
		call(fd, c->request, (void *)(uintptr_t)(random_below(r, 4) ? random_below(r, 300) : LIKEX_CAP_CREATE));
	else {
		result = call(fd, c->request, memory_argument(r, size));
		if (c->request == KVM_GET_STATS_FD && result > 0)
			close(result);
	}
}

// A child has the files and not the memory: whatever it asks of them it is refused, and its end ends nothing.
static void from_a_child(struct random *r)
{
	pid_t child = fork();

	if (child == 0) {
		for (int i = 0; i < 8; i++)
			any_call(r);
		_exit(0);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

void step(struct random *r)
{
	switch (random_below(r, 64)) {
	case 0: case 1:
		create_vm(r);
		break;
	case 2: case 3:
		create_vcpu(pick(VMS, r), r);
		break;
	case 4: case 5:
		create_at_once(r);
		break;
	case 6: case 7: case 8: case 9:
		set_region(pick(VMS, r), r);
		break;
	case 10: case 11: case 12: case 13:
		start_vcpu(pick(VCPUS, r), r);
		break;
	case 14: case 15: case 16: case 17: case 18: case 19: case 20: case 21: case 22: case 23:
		call(pick(VCPUS, r), KVM_RUN, NULL);
		break;
	case 24:
		files_close_one(random_below(r, KINDS), r);
		break;
	case 25: case 26:
		memory_map_run(pick(VCPUS, r), r);
		break;
	case 27: case 28: case 29:
		memory_change(r);
		break;
	case 30: case 31: case 32:
		memory_scribble(r);
		break;
	case 33:
		set_signal_mask(pick(VCPUS, r), r);
		break;
	case 34:
		if (random_below(r, 64) == 0)
			from_a_child(r);
		else
			sched_yield();
		break;
	default:
		any_call(r);
	}
}
