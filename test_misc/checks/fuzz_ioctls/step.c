// SPDX-License-Identifier: MIT OR GPL-2.0-only
// One step of a thread. What costs a kernel that checks its objects a hundred times as much as an ioctl comes a hundred times less often: what
// makes and ends files and mappings. The calls between have more to find in a VM that lives some time.
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

enum { SIZE_UNKNOWN = 256, RARE = 128 };

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

// Every ioctl that makes slots, whose structs begin alike. Never by a struct that others write to: its address could become one of this program.
static void set_region(int fd, struct random *r)
{
	union { struct kvm_userspace_memory_region region; uint64_t whole[32]; } value = { .whole = { 0 } };

	value.region = region(r);
	call_index(r, fd, call_region(r), random_below(r, 16) ? &value : memory_nowhere(r));
}

static void create_vm(struct random *r)
{
	int fd = call(r, files_pick(SYSTEMS, r), KVM_CREATE_VM, (void *)(uintptr_t)(random_below(r, 16) == 0));

	if (fd < 0)
		return;
	if (random_below(r, 2)) {
		// Local APICs in the kernel.
		struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { random_below(r, 8) ? 24 : random_below(r, 5000) } };

		call(r, fd, KVM_ENABLE_CAP, &cap);
	}
	files_keep(VMS, fd, r);
}

// A file of a VM or a vCPU, or, LiKeX's way, the system's in its place.
static int pick(enum kind kind, struct random *r)
{
	return files_pick(random_below(r, 4) ? kind : random_below(r, KINDS), r);
}

// What the device offers, most of the time with a bit of it turned. A vCPU that has run takes no other: in time most have.
static void set_cpuid(int fd, struct random *r)
{
	enum { ENTRIES = 64 };
	struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entry[ENTRIES]; } value = { .head = { .nent = ENTRIES } };

	if (call(r, pick(SYSTEMS, r), KVM_GET_SUPPORTED_CPUID, &value) < 0)
		return;
	if (random_below(r, 4))
		((uint32_t *)value.entry)[random_below(r, sizeof(value.entry) / 4)] ^= 1u << random_below(r, 32);
	call(r, fd, KVM_SET_CPUID2, &value);
}

static void create_vcpu(int on, struct random *r)
{
	int fd = call(r, on, KVM_CREATE_VCPU, (void *)(uintptr_t)random_below(r, random_below(r, 8) ? 4 : 80));

	if (fd >= 0) {
		if (random_below(r, 2))
			set_cpuid(fd, r);
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
	if (call(r, files_pick(SYSTEMS, r), LIKEX_CREATE, at) < 0 || at != &value)
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
	call(r, fd, KVM_SET_SIGNAL_MASK, random_below(r, 4) ? &value : NULL);
}

// Real mode, where the guests' code makes sense.
static void start_vcpu(int fd, struct random *r)
{
	struct kvm_regs regs = { .rip = random_below(r, 0x8000), .rsp = 0x7000, .rflags = random_below(r, 2) ? 2 : 0x202 };
	struct kvm_sregs sregs;

	if (call(r, fd, KVM_GET_SREGS, &sregs) < 0)
		return;
	sregs.cs.base = sregs.cs.selector = 0;
	if (random_below(r, 8) == 0)
		((uint32_t *)&sregs)[random_below(r, sizeof(sregs) / 4)] ^= 1u << random_below(r, 32);
	call(r, fd, KVM_SET_SREGS, &sregs);
	call(r, fd, KVM_SET_REGS, &regs);
}

static void io_event(int fd, struct random *r)
{
	static const uint32_t lengths[] = { 0, 1, 2, 4, 8, 3 };
	struct kvm_ioeventfd value = {
		.addr = random_below(r, 4) ? random_below(r, 2) ? 0x80 : 0xf000 : random_next(r), // what the guests' code writes to
		.len = lengths[random_below(r, 6)],
		.fd = files_eventfd(r),
		.flags = random_below(r, random_below(r, 16) ? 8 : 256),
		.datamatch = random_below(r, 4),
	};

	call(r, fd, KVM_IOEVENTFD, &value);
}

// A bitmap at random would be this program's own memory one day.
static void dirty_log(int fd, struct random *r)
{
	struct kvm_dirty_log get = { .slot = random_below(r, 6), .dirty_bitmap = memory_argument(r, 8) };
	struct kvm_clear_dirty_log clear = {
		.slot = random_below(r, 6), .num_pages = random_below(r, 4) * 64, .first_page = random_below(r, 4) * 64, .dirty_bitmap = memory_argument(r, 8),
	};

	if (random_below(r, 2))
		call(r, fd, KVM_GET_DIRTY_LOG, &get);
	else
		call(r, fd, KVM_CLEAR_DIRTY_LOG, &clear);
}

// Banks, and errors in them.
static void machine_check(int fd, struct random *r)
{
	uint64_t cap = random_below(r, 40) | (random_below(r, 2) ? 1 << 8 : 0);
	struct kvm_x86_mce error = { .status = 1ull << 63 | random_next(r), .bank = random_below(r, 40) };

	if (random_below(r, 4) == 0)
		call(r, fd, KVM_X86_SETUP_MCE, &cap);
	call(r, fd, KVM_X86_SET_MCE, &error);
}

// A message to one of the first local APICs, or to all; any vector and any way to deliver it.
static struct kvm_irq_routing_msi message(struct random *r)
{
	return (struct kvm_irq_routing_msi){
		.address_lo = random_below(r, 16) ? 0xfee00000 | (random_below(r, 4) ? random_below(r, 4) : 0xff) << 12 | random_below(r, 4) << 2 : random_next(r),
		.address_hi = random_below(r, 16) ? 0 : random_next(r),
		.data = random_below(r, 16) ? random_below(r, 0x800) | (random_below(r, 4) ? 0 : 0xc000) : random_next(r),
	};
}

// Interrupts by each way, and where they go.
static void interrupt(int fd, struct random *r)
{
	struct { struct kvm_irq_routing head; struct kvm_irq_routing_entry entry[4]; } routes = { .head.nr = random_below(r, 5) };
	struct kvm_irq_routing_msi to = message(r);
	struct kvm_msi msi = { .address_lo = to.address_lo, .address_hi = to.address_hi, .data = to.data, .flags = !random_below(r, 16) };
	struct kvm_irqfd irqfd = { .fd = files_eventfd(r), .gsi = random_below(r, 6), .flags = random_below(r, random_below(r, 16) ? 2 : 256) };
	struct kvm_irq_level line = { .irq = random_below(r, random_below(r, 16) ? 6 : ~0u), .level = random_below(r, 2) };

	switch (random_below(r, 8)) {
	case 0:
		for (uint32_t i = 0; i < 4; i++)
			routes.entry[i] = (struct kvm_irq_routing_entry){
				.gsi = random_below(r, 16) ? i : random_below(r, 5000), .type = random_below(r, 32) ? KVM_IRQ_ROUTING_MSI : random_below(r, 6),
				.u.msi = message(r),
			};
		call(r, fd, KVM_SET_GSI_ROUTING, &routes);
		break;
	case 1: case 2:
		call(r, fd, KVM_IRQFD, &irqfd);
		break;
	case 3: case 4:
		call(r, fd, KVM_SIGNAL_MSI, &msi);
		break;
	default:
		call(r, fd, random_below(r, 2) ? KVM_IRQ_LINE : KVM_IRQ_LINE_STATUS, &line);
	}
}

// A local APIC as it is, most of the time with a word of it another, and mostly on: below 256 stands the vector of spurious interrupts.
static void change_apic(int fd, struct random *r)
{
	struct kvm_lapic_state state;
	uint32_t word;

	if (call(r, fd, KVM_GET_LAPIC, &state) < 0)
		return;
	if (random_below(r, 4)) {
		word = random_below(r, 2) ? random_below(r, 0x20000) : random_next(r);
		memcpy(state.regs + 16 * random_below(r, 64), &word, 4);
	}
	if (random_below(r, 4)) {
		word = 0x1ff;
		memcpy(state.regs + 0xf0, &word, 4);
	}
	call(r, fd, KVM_SET_LAPIC, &state);
}

static void any_call(struct random *r)
{
	size_t index = call_any(r);
	unsigned long request = calls[index].request;
	size_t size = _IOC_SIZE(request) ? _IOC_SIZE(request) : SIZE_UNKNOWN;
	// All three kinds alike: what is no such file's must be refused by it.
	int fd = files_pick(random_below(r, KINDS), r), result;

	switch (request) {
	case KVM_CREATE_VM:
	case KVM_CREATE_VCPU:
	case LIKEX_CREATE: // their files would be lost
	case KVM_SET_SIGNAL_MASK:
		return;
	case KVM_GET_DIRTY_LOG:
	case KVM_CLEAR_DIRTY_LOG:
		dirty_log(fd, r);
		return;
	case KVM_RUN:
		call_index(r, pick(VCPUS, r), index, (void *)(uintptr_t)(random_below(r, 32) == 0));
		return;
	case KVM_CHECK_EXTENSION:
		call_index(r, fd, index, (void *)(uintptr_t)(random_below(r, 4) ? random_below(r, 300) : LIKEX_CAP_CREATE));
		return;
	}
	result = call_index(r, fd, index, memory_argument(r, size));
	if (request == KVM_GET_STATS_FD && result > 0)
		close(result);
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

static void rare_step(struct random *r)
{
	switch (random_below(r, 32)) {
	case 0: case 1: case 2: case 3: case 4:
		create_vm(r);
		break;
	case 5: case 6: case 7: case 8: case 9: case 10:
		create_vcpu(pick(VMS, r), r);
		break;
	case 11: case 12: case 13: case 14: case 15:
		create_at_once(r);
		break;
	case 16: case 17:
		files_close_one(random_below(r, KINDS), r);
		break;
	case 18: case 19: case 20: case 21:
		memory_map_run(pick(VCPUS, r), r);
		break;
	case 22:
		if (random_below(r, 8) == 0)
			from_a_child(r);
		break;
	default:
		memory_change(r);
	}
}

void step(struct random *r)
{
	if (random_below(r, RARE) == 0) {
		rare_step(r);
		return;
	}
	switch (random_below(r, 64)) {
	case 0: case 1:
		set_region(pick(VMS, r), r);
		break;
	case 2: case 3: case 4:
		start_vcpu(pick(VCPUS, r), r);
		break;
	case 5: case 6: case 7: case 8: case 9: case 10: case 11: case 12: case 13: case 14: case 15: case 16:
		call(r, pick(VCPUS, r), KVM_RUN, NULL);
		break;
	case 17: case 18: case 19:
		memory_scribble(r);
		break;
	case 20:
		set_signal_mask(pick(VCPUS, r), r);
		break;
	case 21:
		io_event(pick(VMS, r), r);
		break;
	case 22:
		sched_yield();
		break;
	case 23:
		set_cpuid(pick(VCPUS, r), r);
		break;
	case 24:
		machine_check(pick(VCPUS, r), r);
		break;
	case 25: case 26: case 27:
		interrupt(pick(VMS, r), r);
		break;
	case 28:
		change_apic(pick(VCPUS, r), r);
		break;
	default:
		any_call(r);
	}
}
