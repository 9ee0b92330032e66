// SPDX-License-Identifier: MIT OR GPL-2.0-only
// KVM_IOEVENTFD: which writes of a guest go to an eventfd and which to KVM_RUN's caller, and what is refused with which errno. The same on
// stock KVM and on LiKeX, but for flags that mean nothing on x86: ioeventfd DEVICE
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CODE = 0x1000, STACK = 0x8000, MEMORY = 0x40000, PORT_END = 0xf0, EVENTS = 11 };
#define MMIO 0x10000000ull
#define MATCH KVM_IOEVENTFD_FLAG_DATAMATCH
#define PIO KVM_IOEVENTFD_FLAG_PIO
#define DEASSIGN KVM_IOEVENTFD_FLAG_DEASSIGN

static struct machine machine;
static uint8_t *memory;
static int fd[EVENTS], problems;

static const struct {
	uint64_t addr, datamatch;
	uint32_t len, flags;
} events[EVENTS] = {
	[0] = { 0x500, 0, 1, PIO },
	[1] = { 0x500, 0, 2, PIO },
	[2] = { 0x510, 0x1234, 2, PIO | MATCH },
	[3] = { 0x510, 0x5678, 2, PIO | MATCH },
	[4] = { 0x520, 0, 0, PIO },
	[5] = { MMIO, 0, 4, 0 },
	[6] = { MMIO, 0x1122334455667788, 8, MATCH },
	[7] = { MMIO + 0x1000, 0, 0, 0 },
	[8] = { MMIO + 0x2000, 0xab, 1, MATCH },
	// Above the write's width: never.
	[9] = { MMIO + 0x3000, 0x1000000ab, 4, MATCH },
	[10] = { MMIO + 0x500, 0, 2, 0 },
};

static const struct write {
	uint64_t addr, value;
	uint32_t len;
	bool pio;
	int event; // that takes it, -1: the caller of KVM_RUN
} writes[] = {
	{ 0x500, 0x77, 1, true, 0 },
	{ 0x500, 0x7777, 2, true, 1 },
	{ 0x500, 0x77777777, 4, true, -1 },
	{ 0x501, 0x77, 1, true, -1 },
	{ 0x4ff, 0x7777, 2, true, -1 },
	{ 0x510, 0x1234, 2, true, 2 },
	{ 0x510, 0x5678, 2, true, 3 },
	{ 0x510, 0x1235, 2, true, -1 },
	{ 0x510, 0x34, 1, true, -1 },
	{ 0x520, 1, 1, true, 4 },
	{ 0x520, 2, 2, true, 4 },
	{ 0x520, 3, 4, true, 4 },
	{ 0x521, 3, 1, true, -1 },
	{ MMIO, 0x99, 4, false, 5 },
	{ MMIO, 0x1122334455667788, 8, false, 6 },
	{ MMIO, 0x1122334455667789, 8, false, -1 },
	{ MMIO, 0x99, 2, false, -1 },
	{ MMIO + 4, 0x99, 4, false, -1 },
	{ MMIO + 0x1000, 1, 1, false, 7 },
	{ MMIO + 0x1000, 2, 2, false, 7 },
	{ MMIO + 0x1000, 3, 4, false, 7 },
	{ MMIO + 0x1000, 4, 8, false, 7 },
	{ MMIO + 0x1001, 4, 1, false, -1 },
	{ MMIO + 0x2000, 0xab, 1, false, 8 },
	{ MMIO + 0x2000, 0xac, 1, false, -1 },
	{ MMIO + 0x3000, 0xab, 4, false, -1 },
	// The same number as a port and as an address are two.
	{ MMIO + 0x500, 0x99, 2, false, 10 },
	{ MMIO + 0x500, 0x99, 1, false, -1 },
};

static int ask(uint64_t addr, uint64_t datamatch, uint32_t len, uint32_t flags, int eventfd)
{
	struct kvm_ioeventfd args = { .addr = addr, .datamatch = datamatch, .len = len, .flags = flags, .fd = eventfd };

	return ioctl(machine.vm_fd, KVM_IOEVENTFD, &args) ? errno : 0;
}

static void expect(const char *what, int found, int expected)
{
	if (found == expected)
		return;
	printf("%s: %s, not %s\n", what, found ? strerrorname_np(found) : "0", expected ? strerrorname_np(expected) : "0");
	problems++;
}

static size_t put(uint8_t *code, size_t at, const void *bytes, size_t count)
{
	memcpy(code + at, bytes, count);
	return at + count;
}

// The guest writes once, and says by OUT to PORT_END that it is past that. `string`: by OUTSB or REP OUTSB of two.
static void make_guest(const struct write *w)
{
	static const char *const store[] = { [1] = "\x88\x07", [2] = "\x66\x89\x07", [4] = "\x89\x07", [8] = "\x48\x89\x07" };
	static const char *const out[] = { [1] = "\xee", [2] = "\x66\xef", [4] = "\xef" };
	const char *instruction = w->pio ? out[w->len] : store[w->len];
	uint8_t *code = memory + CODE;
	size_t at = put(code, 0, "\x48\xb8", 2); // mov $value, %rax

	at = put(code, at, &w->value, 8);
	at = put(code, at, w->pio ? "\x48\xba" : "\x48\xbf", 2); // mov $addr, %rdx or %rdi
	at = put(code, at, &w->addr, 8);
	at = put(code, at, instruction, strlen(instruction));
	put(code, at, "\xe6\xf0\xf4", 3); // out %al, $0xf0; hlt
}

static uint64_t told(int eventfd)
{
	uint64_t count;

	return read(eventfd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static bool run_to_end(void)
{
	must_ioctl(&machine, machine.vcpu_fd, KVM_RUN, 0);
	return machine.run->exit_reason == KVM_EXIT_IO && machine.run->io.port == PORT_END;
}

static void try_write(const struct write *w, int event)
{
	bool ended;

	make_guest(w);
	machine_set_entry(&machine, CODE, STACK);
	ended = run_to_end();
	for (int i = 0; i < EVENTS; i++) {
		uint64_t count = told(fd[i]);

		if (count != (i == event)) {
			printf("%u bytes %#llx to %s%#llx: event %d was told %llu times\n", w->len, (unsigned long long)w->value,
			       w->pio ? "port " : "", (unsigned long long)w->addr, i, (unsigned long long)count);
			problems++;
		}
	}
	if (ended != (event >= 0)) {
		printf("%u bytes to %s%#llx: exit %u\n", w->len, w->pio ? "port " : "", (unsigned long long)w->addr,
		       machine.run->exit_reason);
		problems++;
	}
	if (!ended && !run_to_end()) {
		printf("%u bytes to %s%#llx: exit %u after it\n", w->len, w->pio ? "port " : "", (unsigned long long)w->addr,
		       machine.run->exit_reason);
		problems++;
	}
}

// REP OUTSB of three bytes, of which an event wants the second.
static void try_string(void)
{
	static const uint8_t code[] = { 0xf3, 0x6e, 0xe6, 0xf0, 0xf4 };
	struct kvm_regs regs;

	expect("assign for OUTS", ask(0x530, 'b', 1, PIO | MATCH, fd[0]), 0);
	memcpy(memory + CODE, code, sizeof(code));
	memcpy(memory + 0x2000, "abc", 3);
	machine_set_entry(&machine, CODE, STACK);
	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_REGS, &regs);
	regs.rdx = 0x530;
	regs.rsi = 0x2000;
	regs.rcx = 3;
	must_ioctl(&machine, machine.vcpu_fd, KVM_SET_REGS, &regs);
	for (const char *p = "ac"; *p; p++) {
		if (run_to_end() || machine.run->io.count != 1 ||
		    ((char *)machine.run)[machine.run->io.data_offset] != *p) {
			printf("OUTS of '%c': exit %u with '%c'\n", *p, machine.run->exit_reason,
			       ((char *)machine.run)[machine.run->io.data_offset]);
			problems++;
		}
	}
	if (!run_to_end() || told(fd[0]) != 1) {
		printf("OUTS: does not end, or the event was not told once\n");
		problems++;
	}
	expect("deassign of OUTS's", ask(0x530, 'b', 1, PIO | MATCH | DEASSIGN, fd[0]), 0);
}

static void refusals(void)
{
	int pipes[2];

	if (pipe(pipes))
		die_errno("pipe");
	expect("length 3", ask(0x600, 0, 3, PIO, fd[0]), EINVAL);
	expect("length 16", ask(0x600, 0, 16, PIO, fd[0]), EINVAL);
	expect("past the last address", ask(~0ull - 2, 0, 4, 0, fd[0]), EINVAL);
	expect("unknown flag", ask(0x600, 0, 1, 1u << 20, fd[0]), EINVAL);
	expect("any length with a value", ask(0x600, 0, 0, PIO | MATCH, fd[0]), EINVAL);
	expect("no descriptor", ask(0x600, 0, 1, PIO, -1), EBADF);
	expect("no eventfd", ask(0x600, 0, 1, PIO, pipes[0]), EINVAL);
	expect("wrong length and no descriptor", ask(0x600, 0, 3, PIO, -1), EINVAL);
	expect("deassign: no descriptor", ask(0x600, 0, 3, PIO | DEASSIGN, -1), EBADF);
	expect("deassign: wrong length", ask(0x600, 0, 3, PIO | DEASSIGN, fd[0]), ENOENT);
	expect("null", ioctl(machine.vm_fd, KVM_IOEVENTFD, NULL) ? errno : 0, EFAULT);
	expect("on a vCPU", ioctl(machine.vcpu_fd, KVM_IOEVENTFD, NULL) ? 1 : 0, 1);
	// Collisions.
	expect("the same again", ask(0x500, 0, 1, PIO, fd[5]), EEXIST);
	expect("a value where any is taken", ask(0x500, 5, 1, PIO | MATCH, fd[5]), EEXIST);
	expect("any value where one is", ask(0x510, 0, 2, PIO, fd[5]), EEXIST);
	expect("any length where one is", ask(0x500, 0, 0, PIO, fd[5]), EEXIST);
	expect("a length where any is taken", ask(0x520, 0, 4, PIO, fd[5]), EEXIST);
	expect("the same value", ask(0x510, 0x1234, 2, PIO | MATCH, fd[5]), EEXIST);
	// Deassign names all of it.
	expect("deassign: another descriptor", ask(0x500, 0, 1, PIO | DEASSIGN, fd[1]), ENOENT);
	expect("deassign: another length", ask(0x500, 0, 4, PIO | DEASSIGN, fd[0]), ENOENT);
	expect("deassign: with a value", ask(0x500, 0, 1, PIO | MATCH | DEASSIGN, fd[0]), ENOENT);
	expect("deassign: another value", ask(0x510, 0x1235, 2, PIO | MATCH | DEASSIGN, fd[2]), ENOENT);
	expect("deassign: as MMIO", ask(0x500, 0, 1, DEASSIGN, fd[0]), ENOENT);
	close(pipes[0]);
	close(pipes[1]);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: ioeventfd DEVICE");
	machine_open(&machine, argv[1]);
	machine_add_vcpu(&machine, 0);
	memory = machine_add_memory(&machine, 0, 0, MEMORY, 0, NULL);
	machine_set_cpuid(&machine);
	machine_set_mode(&machine, MODE_LONG64, (uint64_t *)(memory + 0x9000));
	static const int capabilities[] = { KVM_CAP_IOEVENTFD, KVM_CAP_IOEVENTFD_NO_LENGTH, KVM_CAP_IOEVENTFD_ANY_LENGTH };
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
		expect("capability", ioctl(machine.system_fd, KVM_CHECK_EXTENSION, capabilities[i]), 1);

	for (int i = 0; i < EVENTS; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK);
		if (fd[i] < 0)
			die_errno("eventfd");
	}
	// Added from the last to the first: the order of addition is not that of addresses.
	for (int i = EVENTS - 1; i >= 0; i--)
		expect("assign", ask(events[i].addr, events[i].datamatch, events[i].len, events[i].flags, fd[i]), 0);
	refusals();
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		try_write(&writes[i], writes[i].event);
	try_string();
	// Half of them go: their writes are user space's again, the others' are not.
	for (int i = 0; i < EVENTS; i += 2)
		expect("deassign", ask(events[i].addr, events[i].datamatch, events[i].len, events[i].flags | DEASSIGN, fd[i]), 0);
	expect("deassign again", ask(events[0].addr, 0, 1, PIO | DEASSIGN, fd[0]), ENOENT);
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		try_write(&writes[i], writes[i].event % 2 ? writes[i].event : -1);
	machine_close(&machine);
	printf("ioeventfd: %s: %zu writes twice, %d problems\n", argv[1], sizeof(writes) / sizeof(writes[0]), problems);
	return problems != 0;
}
