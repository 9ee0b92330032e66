// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The end of an interrupt without an exit: KVM_FEATURE_PV_EOI. A guest with a local APIC in the kernel takes interrupts whose end it may tell by a bit
// in its memory, and such as it may not. The same on stock KVM and on LiKeX (with virtual_interrupts=0: its processor's ends need no exit): pv_eoi DEVICE
#include "expect.h"
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CODE = 0x1000, IDT = 0x3000, IDTR = 0x3800, GDT = 0x3900, STUBS = 0x10000, STACK = 0x8000, MEMORY = 0x40000 };
enum { FLAG = 0x5000, LOG = 0x4000, PORT = 0xf0 };
#define PV_EOI 0x4b564d04u

// It logs each interrupt's vector, with 0x100 where its end needed no write to EOI; its x2APIC is enabled.
asm(".pushsection .rodata\n"
    ".code32\n"
    ".macro self vector\n mov $0x83f, %ecx\n xor %edx, %edx\n mov $\\vector, %eax\n wrmsr\n .endm\n"
    ".macro open\n sti\n nop\n nop\n cli\n .endm\n"
    ".macro isr\n mov $0x812, %ecx\n rdmsr\n call log\n .endm\n"
    "guest_begin:\n"
    " lidt 0x3800\n"
    " mov $0x1b, %ecx\n rdmsr\n or $0x400, %eax\n wrmsr\n"
    " mov $0x80f, %ecx\n xor %edx, %edx\n mov $0x1ff, %eax\n wrmsr\n"
    " self 0x40\n open\n"             // not offered yet
    " mov $0x4b564d04, %ecx\n xor %edx, %edx\n mov $0x5001, %eax\n wrmsr\n"
    " self 0x41\n open\n isr\n"
    " self 0x41\n open\n"
    " self 0x42\n self 0x53\n open\n" // another waits behind the first
    " self 0x44\n open\n isr\n"       // in whose handler 0x95 comes
    " self 0x46\n open\n isr\n"       // in whose handler user space is called
    " self 0x47\n open\n out %al, $0xf0\n"
    " mov $0x4b564d04, %ecx\n xor %edx, %edx\n xor %eax, %eax\n wrmsr\n"
    " self 0x48\n open\n isr\n"
    " out %al, $0xf0\n"
    "log:\n"
    " mov 0x4000, %ebx\n inc %ebx\n mov %ebx, 0x4000\n mov %eax, 0x4000(, %ebx, 4)\n ret\n"
    "handler:\n"
    " pushal\n"
    " cmpl $0x44, 32(%esp)\n jne 1f\n self 0x95\n open\n"
    "1: cmpl $0x46, 32(%esp)\n jne 1f\n out %al, $0xf0\n"
    "1: mov 32(%esp), %eax\n"
    " btrl $0, 0x5000\n jnc 1f\n or $0x100, %eax\n jmp 2f\n"
    "1: push %eax\n mov $0x80b, %ecx\n xor %eax, %eax\n xor %edx, %edx\n wrmsr\n pop %eax\n"
    "2: call log\n"
    " popal\n add $4, %esp\n iret\n"
    "guest_end:\n"
    ".code64\n"
    ".popsection\n");
extern const uint8_t guest_begin[], handler[], guest_end[];

static struct machine machine;
static uint8_t *memory;

static void make(const char *device)
{
	machine_open(&machine, device);
	expect("split", machine_enable(&machine, KVM_CAP_SPLIT_IRQCHIP, 24), 0);
	machine_add_vcpu(&machine, 0);
	memory = machine_add_memory(&machine, 0, 0, MEMORY, 0, NULL);
	machine_set_apic_cpuid(&machine, machine.vcpu_fd, 0);
	machine_set_mode(&machine, MODE_PROTECTED32, NULL);
	machine_add_gdt(&machine, memory, GDT);
	memcpy(memory + CODE, guest_begin, guest_end - guest_begin);
	machine_add_gates(memory, IDT, STUBS, CODE + (handler - guest_begin));
	memcpy(memory + IDTR, &(uint16_t){ 8 * 256 - 1 }, 2);
	memcpy(memory + IDTR + 2, &(uint32_t){ IDT }, 4);
	machine_set_entry(&machine, CODE, STACK);
}

static void run(void)
{
	must_ioctl(&machine, machine.vcpu_fd, KVM_RUN, 0);
	expect("exit", machine.run->exit_reason, KVM_EXIT_IO);
	expect("port", machine.run->io.port, PORT);
}

// In service, of the vectors 0x40 to 0x5f.
static uint32_t in_service(void)
{
	struct kvm_lapic_state state;

	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_LAPIC, &state);
	return *(uint32_t *)(state.regs + 0x120);
}

static int set_msr(uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = { .head.nmsrs = 1, .entry = { .index = PV_EOI, .data = value } };

	return ioctl(machine.vcpu_fd, KVM_SET_MSRS, &m);
}

int main(int argc, char **argv)
{
	static const uint32_t expected[] = {
		0x40, 0x141, 0, 0x141, 0x53, 0x142, 0x195, 0x44, 0, 0x46, 0, 0x147, 0x48, 0,
	};
	const uint32_t *log;

	if (argc != 2)
		die("usage: pv_eoi DEVICE");
	alarm(60);
	make(argv[1]);
	expect("offered", machine_offers(&machine, 0x40000001, 0, 6), true);
	expect("a reserved bit", set_msr(FLAG | 3), 0);
	expect("no memory there", set_msr(0x10000001), 0);
	expect("off", set_msr(FLAG), 1);
	run();
	// In the handler of 0x46: that is in service, and its end is the APIC's to be told.
	expect("in service", in_service(), 1 << 6);
	expect("the bit", memory[FLAG], 0);
	run();
	// The guest has ended 0x47 by its bit.
	expect("in service", in_service(), 0);
	run();
	log = (const uint32_t *)(memory + LOG);
	expect("entries", log[0], sizeof(expected) / 4);
	for (uint32_t i = 0; i < sizeof(expected) / 4; i++)
		expect("entry", log[1 + i], expected[i]);
	machine_close(&machine);
	printf("pv_eoi: %s: %d checks, %d problems\n", argv[1], checks, problems);
	return problems ? 1 : 0;
}
