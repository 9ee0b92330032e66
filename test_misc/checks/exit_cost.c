// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What a VM exit costs, in ticks of the TSC (in the lab: instructions): exit_cost DEVICE KIND[=MOST]...
// Fails if the median of a kind is above its MOST.
// With -t one exit of the first KIND runs between two `xchg %bx, %bx`, for test_misc/bench/profile.
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

enum { WARM_UP = 20, ROUNDS = 201, CODE = 0x1000, MEMORY = 0x40000 };

// Exits to user space: the guest repeats one for ever, the host measures KVM_RUN.
// Exits handled in the kernel: the guest measures one and sends the ticks to port 0x80.
#define MEASURED(exit)                         \
	"	rdtsc\n"                       \
	"	movl %eax, %esi\n"             \
	exit                                   \
	"	rdtsc\n"                       \
	"	subl %esi, %eax\n"             \
	"	outl %eax, $0x80\n"
#define TRACE "	xchgw %bx, %bx\n"

extern const uint8_t guest_io[], guest_hlt[], guest_mmio[], guest_cpuid[], guest_vmcall[], guest_msr[], guest_wrmsr[],
	guest_eventfd[], guest_arm[], guest_tick[], guest_tick_handler[], guest_nothing[], guest_end[];
__asm__(".pushsection .rodata\n"
	"guest_io:	outb %al, $0x81\n	jmp guest_io\n"
	"guest_hlt:	hlt\n	jmp guest_hlt\n"
	"guest_mmio:	movl %eax, 0x10000000\n	jmp guest_mmio\n"
	"guest_cpuid:	" MEASURED("	xorl %eax, %eax\n	cpuid\n") "	jmp guest_cpuid\n"
	"	xorl %eax, %eax\n" TRACE "	cpuid\n" TRACE
	"guest_vmcall:	" MEASURED("	movl $-1, %eax\n	vmcall\n") "	jmp guest_vmcall\n"
	"	movl $-1, %eax\n" TRACE "	vmcall\n" TRACE
	// MISC_ENABLE and a write of PAT's own reset value: neither is passed through.
	"guest_msr:	" MEASURED("	movl $0x1a0, %ecx\n	rdmsr\n") "	jmp guest_msr\n"
	"	movl $0x1a0, %ecx\n" TRACE "	rdmsr\n" TRACE
	"guest_wrmsr:	" MEASURED("	xorl %eax, %eax\n	xorl %edx, %edx\n	movl $0x8b, %ecx\n	wrmsr\n") "	jmp guest_wrmsr\n"
	"	xorl %eax, %eax\n	xorl %edx, %edx\n	movl $0x8b, %ecx\n" TRACE "	wrmsr\n" TRACE
	// An ioeventfd is at this port.
	"guest_eventfd:	" MEASURED("	outb %al, $0x90\n") "	jmp guest_eventfd\n"
	TRACE "	outb %al, $0x90\n" TRACE
	// The APIC timer: set to a deadline that is far off; and the time between one that the guest is busy at and its handler. (32-bit code, too.)
	"guest_arm:	" MEASURED("	incl %edx\n	movl $0x6e0, %ecx\n	wrmsr\n") "	jmp guest_arm\n"
	"	rdtsc\n	incl %edx\n	movl $0x6e0, %ecx\n" TRACE "	wrmsr\n" TRACE
	"guest_tick:	rdtsc\n	addl $20000, %eax\n	adcl $0, %edx\n	movl %eax, %edi\n	movl $0x6e0, %ecx\n	wrmsr\n"
	"	sti\n1:	jmp 1b\n"
	"guest_tick_handler:	rdtsc\n	subl %edi, %eax\n	outl %eax, $0x80\n	movl $0x8000, %esp\n"
	"	movl $0x80b, %ecx\n	xorl %eax, %eax\n	xorl %edx, %edx\n	wrmsr\n	jmp guest_tick\n"
	"guest_nothing:	" MEASURED("") "	jmp guest_nothing\n"
	"guest_end:\n"
	".popsection");

static const struct kind {
	const char *name;
	const uint8_t *begin, *end;
	bool to_user;
	uint32_t exit_reason;
} kinds[] = {
	{ "io", guest_io, guest_hlt, true, KVM_EXIT_IO },
	{ "hlt", guest_hlt, guest_mmio, true, KVM_EXIT_HLT },
	{ "mmio", guest_mmio, guest_cpuid, true, KVM_EXIT_MMIO },
	{ "cpuid", guest_cpuid, guest_vmcall, false, KVM_EXIT_IO },
	{ "vmcall", guest_vmcall, guest_msr, false, KVM_EXIT_IO },
	{ "rdmsr", guest_msr, guest_wrmsr, false, KVM_EXIT_IO },
	{ "wrmsr", guest_wrmsr, guest_eventfd, false, KVM_EXIT_IO },
	{ "eventfd", guest_eventfd, guest_arm, false, KVM_EXIT_IO },
	{ "arm", guest_arm, guest_tick, false, KVM_EXIT_IO },
	{ "tick", guest_tick, guest_nothing, false, KVM_EXIT_IO },
	{ "nothing", guest_nothing, guest_end, false, KVM_EXIT_IO },
};

// Where the traced piece of code is that follows the endless loop of a kind handled in the kernel.
static uint64_t traced_entry(const struct kind *k)
{
	// The loop ends with the first short jump back: EB rel8 that leads to its begin.
	for (const uint8_t *p = k->begin; p < k->end - 1; p++)
		if (p[0] == 0xeb && p + 2 + (int8_t)p[1] == k->begin)
			return CODE + (uint64_t)(p + 2 - k->begin);
	die("the guest of %s has no loop", k->name);
}

static void run(struct machine *m, uint32_t expected)
{
	if (ioctl(m->vcpu_fd, KVM_RUN, 0))
		die_errno("KVM_RUN on %s", m->device);
	if (m->run->exit_reason != expected)
		die("KVM_RUN on %s: exit reason %u, not %u", m->device, m->run->exit_reason, expected);
}

static bool has_lapic(const struct kind *k)
{
	return k->begin == guest_arm || k->begin == guest_tick;
}

// A local APIC in x2APIC mode, its timer in TSC-deadline mode, and the handler of that.
static void prepare_lapic(struct machine *m, uint8_t *memory)
{
	enum { GDT = 0x3000, IDT = 0x4000, VECTOR = 0x50, TSC_DEADLINE = 2 << 17 };
	uint64_t handler = CODE + (uint64_t)(guest_tick_handler - guest_tick), gate = handler | 8u << 16 | 0x8e00ull << 32;
	struct kvm_lapic_state state;
	struct kvm_sregs sregs;

	machine_set_apic_cpuid(m, m->vcpu_fd, 0);
	machine_set_mode(m, MODE_PROTECTED32, NULL);
	machine_add_gdt(m, memory, GDT);
	memcpy(memory + IDT + 8 * VECTOR, &gate, sizeof(gate));
	must_ioctl(m, m->vcpu_fd, KVM_GET_SREGS, &sregs);
	sregs.idt.base = IDT;
	sregs.idt.limit = 8 * 256 - 1;
	sregs.apic_base |= 3 << 10;
	must_ioctl(m, m->vcpu_fd, KVM_SET_SREGS, &sregs);
	must_ioctl(m, m->vcpu_fd, KVM_GET_LAPIC, &state);
	memcpy(state.regs + 0xf0, &(uint32_t){ 0x1ff }, 4);
	memcpy(state.regs + 0x320, &(uint32_t){ TSC_DEADLINE | VECTOR }, 4);
	must_ioctl(m, m->vcpu_fd, KVM_SET_LAPIC, &state);
}

static void prepare(struct machine *m, const char *device, const struct kind *k)
{
	uint8_t *memory;

	machine_open(m, device);
	if (has_lapic(k) && machine_enable(m, KVM_CAP_SPLIT_IRQCHIP, 24))
		die_errno("KVM_CAP_SPLIT_IRQCHIP on %s", device);
	machine_add_vcpu(m, 0);
	memory = machine_add_memory(m, 0, 0, MEMORY, 0, NULL);
	memcpy(memory + CODE, k->begin, (size_t)(k->end - k->begin));
	if (k->begin == guest_eventfd) {
		struct kvm_ioeventfd event = { .addr = 0x90, .len = 1, .flags = KVM_IOEVENTFD_FLAG_PIO, .fd = eventfd(0, 0) };

		must_ioctl(m, m->vm_fd, KVM_IOEVENTFD, &event);
	}
	if (has_lapic(k)) {
		prepare_lapic(m, memory);
	} else {
		machine_set_cpuid(m);
		machine_set_mode(m, MODE_LONG64, (uint64_t *)(memory + 0x9000));
	}
	machine_set_entry(m, CODE, 0x8000);
	for (int i = 0; i < WARM_UP; i++)
		run(m, k->exit_reason);
}

static int ascending(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint32_t measure(const char *device, const struct kind *k)
{
	uint32_t ticks[ROUNDS];
	struct machine m;

	prepare(&m, device, k);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = __rdtsc();

		run(&m, k->exit_reason);
		if (k->to_user)
			ticks[i] = (uint32_t)(__rdtsc() - begin);
		else
			memcpy(&ticks[i], (uint8_t *)m.run + m.run->io.data_offset, sizeof(ticks[i]));
	}
	machine_close(&m);
	qsort(ticks, ROUNDS, sizeof(ticks[0]), ascending);
	printf("%-8s median %5u, least %5u, most %6u ticks\n", k->name, ticks[ROUNDS / 2], ticks[0], ticks[ROUNDS - 1]);
	return ticks[ROUNDS / 2];
}

static void trace(const char *device, const struct kind *k)
{
	struct machine m;

	if (k->begin == guest_tick)
		die("tick is no single exit that could be traced");
	prepare(&m, device, k);
	if (!k->to_user)
		machine_set_entry(&m, traced_entry(k), 0x8000);
	if (k->to_user)
		__asm__ volatile("xchgw %%bx, %%bx" ::: "memory");
	// What follows the traced exit of the others is the next guest's code: whatever it does, the trace is over.
	ioctl(m.vcpu_fd, KVM_RUN, 0);
	if (k->to_user)
		__asm__ volatile("xchgw %%bx, %%bx" ::: "memory");
	machine_close(&m);
}

static const struct kind *kind_named(const char *name)
{
	size_t length = strcspn(name, "=");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].name) == length && !memcmp(kinds[i].name, name, length))
			return &kinds[i];
	die("no kind of exit is called %s; there are io, hlt, mmio, cpuid, vmcall, rdmsr, wrmsr, eventfd, arm, tick, nothing", name);
}

int main(int argc, char **argv)
{
	bool traced = argc > 1 && !strcmp(argv[1], "-t"), failed = false;
	char **argument = argv + 1 + traced;

	if (argc < 3 + traced)
		die("usage: exit_cost [-t] DEVICE KIND[=MOST]...");
	if (traced) {
		trace(argument[0], kind_named(argument[1]));
		return 0;
	}
	for (char **name = argument + 1; *name; name++) {
		const char *most = strchr(*name, '=');
		uint32_t median = measure(argument[0], kind_named(*name));

		if (most && median > strtoul(most + 1, NULL, 10)) {
			printf("too dear: %s, at %u ticks\n", *name, median);
			failed = true;
		}
	}
	return failed;
}
