// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What a guest that knows KVM shares with it: clock, wall clock, steal time. The guest's clock, computed as Linux does, is KVM_GET_CLOCK's; it
// survives its memory. The same on stock KVM and on LiKeX: pv_clock DEVICE
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

enum { CODE = 0x1000, STACK = 0x8000, TABLES = 0x9000, MEMORY = 0x40000, PORT = 0xf0 };
#define SHARED 0x10000000ull // a slot of its own: clock, wall clock at 0x100, steal time at 0x200
#define WALL_CLOCK 0x4b564d00u
#define SYSTEM_TIME 0x4b564d01u
#define STEAL_TIME 0x4b564d03u
#define SECOND 1000000000ull

static struct machine machine;
static uint8_t *memory, *shared;
static int problems;

static struct pv_clock {
	uint32_t version, pad;
	uint64_t tsc, ns;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad2[2];
} *page;

static void expect(bool right, const char *what, unsigned long long a, unsigned long long b)
{
	if (right)
		return;
	printf("%s: %#llx, %#llx\n", what, a, b);
	problems++;
}

// The guest writes an MSR where `index` is not 0, then reads its TSC and tells.
static uint64_t run(uint32_t index, uint64_t value)
{
	static const uint8_t code[] = { 0x0f, 0x30, 0x0f, 0x31, 0xe6, PORT, 0xf4 }; // wrmsr; rdtsc; out %al, $PORT; hlt
	struct kvm_regs regs;

	memcpy(memory + CODE, code, sizeof(code));
	machine_set_entry(&machine, index ? CODE : CODE + 2, STACK);
	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_REGS, &regs);
	regs.rcx = index;
	regs.rax = (uint32_t)value;
	regs.rdx = value >> 32;
	must_ioctl(&machine, machine.vcpu_fd, KVM_SET_REGS, &regs);
	must_ioctl(&machine, machine.vcpu_fd, KVM_RUN, 0);
	if (machine.run->exit_reason != KVM_EXIT_IO || machine.run->io.port != PORT)
		die("KVM_RUN: exit %u", machine.run->exit_reason);
	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_REGS, &regs);
	return regs.rdx << 32 | (uint32_t)regs.rax;
}

// 1, or 0: refused.
static long msr(unsigned long request, uint32_t index, uint64_t *value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = { .head.nmsrs = 1, .entry = { .index = index, .data = *value } };
	long done = ioctl(machine.vcpu_fd, request, &m);

	if (done < 0)
		die_errno("MSR %#x", index);
	*value = m.entry.data;
	return done;
}

static uint64_t kvm_clock(void)
{
	struct kvm_clock_data data;

	must_ioctl(&machine, machine.vm_fd, KVM_GET_CLOCK, &data);
	return data.clock;
}

static uint64_t reading(uint64_t tsc)
{
	uint64_t ticks = tsc - page->tsc;

	ticks = page->shift < 0 ? ticks >> -page->shift : ticks << page->shift;
	return page->ns + (uint64_t)(((unsigned __int128)ticks * page->mul) >> 32);
}

static void compare_clocks(const char *what)
{
	uint64_t before = kvm_clock(), now = reading(run(0, 0)), after = kvm_clock();

	// The two sides may round differently.
	expect(before <= now + 2 && now <= after + 2, what, now - before, after - before);
	expect(page->version && page->version % 2 == 0, "the clock's version", page->version, 0);
	expect((page->flags & 1) == 1, "the clock is stable", page->flags, 1);
}

static void set_clock(uint64_t clock)
{
	struct kvm_clock_data data = { .clock = clock };

	must_ioctl(&machine, machine.vm_fd, KVM_SET_CLOCK, &data);
}

static void clocks(void)
{
	uint64_t value = 0, first;

	expect(ioctl(machine.vcpu_fd, KVM_KVMCLOCK_CTRL, 0) < 0 && errno == EINVAL, "KVM_KVMCLOCK_CTRL without a clock", errno, EINVAL);
	run(SYSTEM_TIME, SHARED | 1);
	expect(msr(KVM_GET_MSRS, SYSTEM_TIME, &value) && value == (SHARED | 1), "MSR_KVM_SYSTEM_TIME", value, SHARED | 1);
	compare_clocks("guest's clock since KVM's");
	first = reading(run(0, 0));
	compare_clocks("guest's clock since KVM's, again");
	expect(reading(run(0, 0)) > first, "time goes on", first, reading(run(0, 0)));
	set_clock(1ull << 50);
	compare_clocks("guest's clock after KVM_SET_CLOCK");
	expect(reading(run(0, 0)) - (1ull << 50) < 10 * SECOND, "what KVM_SET_CLOCK set", reading(run(0, 0)), 1ull << 50);
	must_ioctl(&machine, machine.vcpu_fd, KVM_KVMCLOCK_CTRL, 0);
	run(0, 0);
	expect(page->flags == 3, "after KVM_KVMCLOCK_CTRL", page->flags, 3);
	page->flags = 1;
	set_clock(5);
	run(0, 0);
	expect(page->flags == 1, "the guest has taken note", page->flags, 1);
}

static void wall_clock(void)
{
	uint32_t *wall = (uint32_t *)(shared + 0x100);
	struct timespec real;
	uint64_t now;

	run(WALL_CLOCK, SHARED + 0x100);
	now = wall[1] * SECOND + wall[2] + kvm_clock();
	clock_gettime(CLOCK_REALTIME, &real);
	expect(wall[0] && wall[0] % 2 == 0, "the wall clock's version", wall[0], 0);
	expect(now / SECOND + 2 >= (uint64_t)real.tv_sec && now / SECOND <= (uint64_t)real.tv_sec + 2, "real time", now / SECOND,
	       real.tv_sec);
}

static void steal_time(void)
{
	uint64_t value = (SHARED + 0x200) | 3;
	uint32_t *version = (uint32_t *)(shared + 0x208);

	if (!machine_offers(&machine, 0x40000001, 0, 5)) {
		expect(false, "steal time is not offered", 0, 0);
		return;
	}
	expect(!msr(KVM_SET_MSRS, STEAL_TIME, &value), "a reserved bit of MSR_KVM_STEAL_TIME", 1, 0);
	run(STEAL_TIME, (SHARED + 0x200) | 1);
	run(0, 0);
	expect(*version && *version % 2 == 0, "steal time's version", *version, 0);
}

// Memory that goes while it is in use: the guest goes on, and finds its clock again when it comes back.
static void without_memory(void)
{
	struct kvm_userspace_memory_region none = { .slot = 1, .guest_phys_addr = SHARED };
	uint32_t version;

	must_ioctl(&machine, machine.vm_fd, KVM_SET_USER_MEMORY_REGION, &none);
	version = page->version;
	for (int i = 0; i < 20; i++) {
		set_clock(i * SECOND);
		run(i % 2 ? SYSTEM_TIME : WALL_CLOCK, i % 2 ? SHARED | 1 : SHARED + 0x100);
	}
	expect(page->version == version, "memory of no slot was written", page->version, version);
	machine_add_memory(&machine, 1, SHARED, 0x1000, 0, shared);
	run(SYSTEM_TIME, SHARED | 1);
	compare_clocks("guest's clock in memory that came back");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: pv_clock DEVICE");
	machine_open(&machine, argv[1]);
	memory = machine_add_memory(&machine, 0, 0, MEMORY, 0, NULL);
	shared = machine_add_memory(&machine, 1, SHARED, 0x1000, 0, NULL);
	page = (struct pv_clock *)shared;
	machine_add_vcpu(&machine, 0);
	machine_set_cpuid(&machine);
	machine_set_mode(&machine, MODE_LONG64, (uint64_t *)(memory + TABLES));
	if (!machine_offers(&machine, 0x40000001, 0, 3) || !machine_offers(&machine, 0x40000001, 0, 24))
		die("%s offers no clock", argv[1]);
	clocks();
	wall_clock();
	steal_time();
	without_memory();
	machine_close(&machine);
	printf("%s: clock, wall clock and steal time%s\n", argv[1], problems ? "" : " are right");
	return problems != 0;
}
