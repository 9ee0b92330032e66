// SPDX-License-Identifier: MIT OR GPL-2.0-only
// MSRs that user space answers, and filters of them (KVM_CAP_X86_USER_SPACE_MSR, KVM_X86_SET_MSR_FILTER): which access goes where, and what
// the guest has of it. The same on stock KVM and on LiKeX: user_msr DEVICE
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

enum {
	CODE = 0x1000, HANDLER = 0x1800, STACK = 0x8000, TABLES = 0x9000, IDT = 0x20000, GDT = 0x21000, MEMORY = 0x40000,
	READ = KVM_MSR_FILTER_READ, WRITE = KVM_MSR_FILTER_WRITE, BOTH = READ | WRITE,
	INVALID = KVM_MSR_EXIT_REASON_INVAL, UNKNOWN = KVM_MSR_EXIT_REASON_UNKNOWN, FILTER = KVM_MSR_EXIT_REASON_FILTER,
};
// What an access came to besides one of these reasons.
enum { DONE = 0x100, FAULT };

static struct machine machine;
static uint8_t *memory;
static int problems, checks;

static void expect(const char *what, uint32_t index, long found, long expected)
{
	checks++;
	if (found == expected)
		return;
	printf("%s, MSR %#x: %#lx, not %#lx\n", what, index, found, expected);
	problems++;
}

static void user_space(uint64_t reasons)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR, .args = { reasons } };

	must_ioctl(&machine, machine.vm_fd, KVM_ENABLE_CAP, &cap);
}

static void filter(uint32_t flags, const struct kvm_msr_filter_range *ranges, unsigned int count)
{
	struct kvm_msr_filter f = { .flags = flags };

	memcpy(f.ranges, ranges, count * sizeof(*ranges));
	must_ioctl(&machine, machine.vm_fd, KVM_X86_SET_MSR_FILTER, &f);
}

// The guest reads or writes once. #GP goes to HANDLER. Both say by OUT how far they came.
static void begin(uint32_t index, bool write, uint64_t value)
{
	static const uint8_t code[] = { 0x0f, 0x32, 0xe6, 0xf0, 0xf4 }; // rdmsr; out %al, $0xf0; hlt
	struct kvm_regs regs;

	memcpy(memory + CODE, code, sizeof(code));
	memory[CODE + 1] = write ? 0x30 : 0x32;
	machine_set_entry(&machine, CODE, STACK);
	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_REGS, &regs);
	regs.rcx = 0xffffffff00000000 | index;
	regs.rax = 0xffffffff00000000 | (uint32_t)value;
	regs.rdx = 0xffffffff00000000 | value >> 32;
	must_ioctl(&machine, machine.vcpu_fd, KVM_SET_REGS, &regs);
}

static long outcome(void)
{
	struct kvm_run *run = machine.run;

	must_ioctl(&machine, machine.vcpu_fd, KVM_RUN, 0);
	if (run->exit_reason == KVM_EXIT_IO)
		return run->io.port == 0xf0 ? DONE : FAULT;
	if (run->exit_reason == KVM_EXIT_X86_RDMSR || run->exit_reason == KVM_EXIT_X86_WRMSR)
		return run->msr.reason;
	die("KVM_RUN: exit %u", run->exit_reason);
}

static void expect_access(const char *what, uint32_t index, bool write, uint64_t value, long expected)
{
	begin(index, write, value);
	long found = outcome();

	expect(what, index, found, expected);
	if (found >= DONE)
		return;
	// Refused: #GP, as if nobody had been asked.
	expect("exit", index, machine.run->exit_reason, write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR);
	expect("index", index, machine.run->msr.index, index);
	expect("error", index, machine.run->msr.error, 0);
	if (write)
		expect("data", index, machine.run->msr.data, value);
	machine.run->msr.error = 1;
	expect("refused", index, outcome(), FAULT);
}

static void handler(void)
{
	static const uint8_t code[] = { 0xe6, 0xf1, 0xf4 }; // out %al, $0xf1; hlt
	// The segments that machine_set_mode has loaded: its gate and IRET look for them.
	static const uint64_t gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff };
	// A 64-bit interrupt gate for #GP. SDM vol. 3, figure 6-8.
	struct kvm_sregs sregs;
	uint64_t gate;

	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_SREGS, &sregs);
	gate = HANDLER | (uint64_t)sregs.cs.selector << 16 | 0x8e00ull << 32;
	memcpy(memory + IDT + 13 * 16, &gate, 8);
	memcpy(memory + GDT, gdt, sizeof(gdt));
	sregs.gdt.base = GDT;
	sregs.gdt.limit = sizeof(gdt) - 1;
	sregs.idt.base = IDT;
	sregs.idt.limit = 0xfff;
	must_ioctl(&machine, machine.vcpu_fd, KVM_SET_SREGS, &sregs);
	memcpy(memory + HANDLER, code, sizeof(code));
}

static uint64_t guest_value(void)
{
	struct kvm_regs regs;

	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_REGS, &regs);
	return regs.rdx << 32 | (uint32_t)regs.rax;
}

static void answers(void)
{
	user_space(UNKNOWN);
	begin(0x4c58, false, 0);
	expect("asked", 0x4c58, outcome(), UNKNOWN);
	machine.run->msr.data = 0x1122334455667788;
	expect("answered", 0x4c58, outcome(), DONE);
	expect("value", 0x4c58, guest_value(), 0x1122334455667788);
	begin(0x4c58, true, 0x99aabbccddeeff00);
	expect("asked", 0x4c58, outcome(), UNKNOWN);
	machine.run->msr.data = 0;
	expect("answered", 0x4c58, outcome(), DONE);
	expect("registers as they were", 0x4c58, (uint32_t)guest_value(), 0xddeeff00);
}

int main(int argc, char **argv)
{
	// 0x174 read only, 0x175 write only, 0x176 neither; 0x10 for both, 0xc0000102 for none; 0x808 cannot be denied.
	static uint8_t sysenter[] = { 1 << 4, 0, 0, 0, 0, 0, 0, 0 }, sysenter_write[] = { 1 << 5, 0, 0, 0, 0, 0, 0, 0 };
	static uint8_t none[8], all[] = { 255, 255, 255, 255, 255, 255, 255, 255 };
	const struct kvm_msr_filter_range ranges[] = {
		{ READ, 8, 0x170, sysenter }, { WRITE, 8, 0x170, sysenter_write }, { BOTH, 2, 0xc0000101, none },
		{ BOTH, 1, 0x10, all }, { BOTH, 4, 0x806, none }, { READ, 1, 0x277, none },
		{ BOTH, 8, 0x170, all }, // too late: the first has it
	};
	const struct kvm_msr_filter_range few[] = { { BOTH, 1, 0xc0000102, all }, { READ, 1, 0x174, all } };

	if (argc != 2)
		die("usage: user_msr DEVICE");
	machine_open(&machine, argv[1]);
	machine_add_vcpu(&machine, 0);
	memory = machine_add_memory(&machine, 0, 0, MEMORY, 0, NULL);
	machine_set_cpuid(&machine);
	machine_set_mode(&machine, MODE_LONG64, (uint64_t *)(memory + TABLES));
	handler();
	expect("capability", 0, ioctl(machine.system_fd, KVM_CHECK_EXTENSION, KVM_CAP_X86_USER_SPACE_MSR), 1);
	expect("capability", 0, ioctl(machine.system_fd, KVM_CHECK_EXTENSION, KVM_CAP_X86_MSR_FILTER), 1);

	expect_access("nobody asked", 0x4c58, false, 0, FAULT);
	expect_access("nobody asked", 0x277, true, 2, FAULT);
	answers();
	expect_access("not for this reason", 0x277, true, 2, FAULT);
	user_space(INVALID);
	expect_access("not for this reason", 0x4c58, false, 0, FAULT);
	expect_access("bad value", 0x277, true, 2, INVALID);
	expect_access("bad value", 0xc0000082, true, 1ull << 63, INVALID);

	for (int asks = 0; asks < 2; asks++) {
		long denied = asks ? FILTER : FAULT;

		user_space(asks ? INVALID | UNKNOWN | FILTER : 0);
		filter(0, ranges, sizeof(ranges) / sizeof(ranges[0]));
		expect_access("read allowed", 0x174, false, 0, DONE);
		expect_access("write denied", 0x174, true, 0, denied);
		expect_access("read denied", 0x175, false, 0, denied);
		expect_access("write allowed", 0x175, true, 0, DONE);
		expect_access("both denied", 0x176, false, 0, denied);
		expect_access("both denied", 0x176, true, 0, denied);
		expect_access("processor's, denied", 0xc0000102, false, 0, denied);
		expect_access("processor's, denied", 0xc0000102, true, 0x5000, denied);
		expect_access("processor's, allowed", 0xc0000100, true, 0x5000, DONE);
		expect_access("allowed", 0x10, false, 0, DONE);
		expect_access("read denied", 0x277, false, 0, denied);
		expect_access("bad value, allowed", 0x277, true, 2, asks ? INVALID : FAULT);
		expect_access("unknown, allowed", 0x4c58, false, 0, asks ? UNKNOWN : FAULT);
		filter(KVM_MSR_FILTER_DEFAULT_DENY, few, 2);
		expect_access("processor's, allowed", 0xc0000102, true, 0x6000, DONE);
		expect_access("processor's, allowed", 0xc0000102, false, 0, DONE);
		expect("value", 0xc0000102, guest_value(), 0x6000);
		expect_access("allowed", 0x174, false, 0, DONE);
		expect_access("denied", 0x174, true, 0, denied);
		expect_access("denied", 0xc0000100, false, 0, denied);
		expect_access("denied", 0x10, false, 0, denied);
		expect_access("denied, unknown", 0x4c58, false, 0, denied);
		filter(0, NULL, 0);
		expect_access("no filter", 0xc0000100, false, 0, DONE);
		expect("value", 0xc0000100, guest_value(), 0x5000);
		expect_access("no filter", 0xc0000102, false, 0, DONE);
	}
	machine_close(&machine);
	printf("user_msr: %s: %d checks, %d problems\n", argv[1], checks, problems);
	return problems != 0;
}
