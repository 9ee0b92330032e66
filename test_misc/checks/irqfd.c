// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Eventfds that interrupt a guest with a local APIC in the kernel, by routes that say which message they are; and level-triggered interrupts, whose end
// the I/O APIC in user space is told of. The same on stock KVM and on LiKeX: irqfd DEVICE
#include "expect.h"
#include "machine.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CODE = 0x1000, IDT = 0x3000, IDTR = 0x3800, GDT = 0x3900, LOG = 0x4000, STUBS = 0x6000, STACK = 0x8000, MEMORY = 0x40000 };
enum { PORT = 0xf4, EVENT_PORT = 0xf5, PINS = 24, MESSAGE = 0xfee00000, LEVEL = 1 << 15 };

asm(".pushsection .rodata\n"
    ".code32\n"
    "guest_begin:\n"
    " lidt 0x3800\n"
    " movl $0x1ff, 0xfee000f0\n"
    // Tells, then takes what has come.
    "1: out %al, $0xf4\n"
    " out %al, $0xf5\n"
    " sti\n nop\n nop\n cli\n"
    " jmp 1b\n"
    "guest_halt:\n"
    " sti\n hlt\n cli\n"
    " jmp 1b\n"
    "handler:\n"
    " push %eax\n"
    " push %ecx\n"
    " mov 8(%esp), %eax\n"
    " mov 0x4000, %ecx\n inc %ecx\n mov %ecx, 0x4000\n mov %eax, 0x4000(, %ecx, 4)\n"
    " movl $0, 0xfee000b0\n"
    " pop %ecx\n pop %eax\n add $4, %esp\n iret\n"
    "guest_end:\n"
    ".code64\n"
    ".popsection\n");
extern const uint8_t guest_begin[], guest_halt[], handler[], guest_end[];

static struct machine machine;
static uint8_t *memory;

static long result_of(long r)
{
	return r < 0 ? -errno : r;
}

struct routing {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry entry[8];
};

static void route(struct routing *r, uint32_t gsi, uint32_t data)
{
	r->entry[r->head.nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI, .u.msi = { .address_lo = MESSAGE, .data = data },
	};
}

static long set_routing(const struct routing *r)
{
	return result_of(ioctl(machine.vm_fd, KVM_SET_GSI_ROUTING, r));
}

static long irqfd(int fd, uint32_t gsi, uint32_t flags)
{
	struct kvm_irqfd value = { .fd = fd, .gsi = gsi, .flags = flags, .resamplefd = fd };

	return result_of(ioctl(machine.vm_fd, KVM_IRQFD, &value));
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	if (fd < 0)
		die_errno("eventfd");
	return fd;
}

static void tell(int fd)
{
	if (write(fd, &(uint64_t){ 1 }, 8) != 8)
		die_errno("write to an eventfd");
}

static void make(const char *device)
{
	machine_open(&machine, device);
	expect("split", machine_enable(&machine, KVM_CAP_SPLIT_IRQCHIP, PINS), 0);
	machine_add_vcpu(&machine, 0);
	memory = machine_add_memory(&machine, 0, 0, MEMORY, 0, NULL);
	machine_set_cpuid(&machine);
	machine_set_mode(&machine, MODE_PROTECTED32, NULL);
	machine_add_gdt(&machine, memory, GDT);
	memcpy(memory + CODE, guest_begin, guest_end - guest_begin);
	machine_add_gates(memory, IDT, STUBS, CODE + (handler - guest_begin));
	memcpy(memory + IDTR, &(uint16_t){ 8 * 256 - 1 }, 2);
	memcpy(memory + IDTR + 2, &(uint32_t){ IDT }, 4);
	machine_set_entry(&machine, CODE, STACK);
}

// Runs to the next write to PORT. Which vector's end user space was told of meanwhile; 0: none.
static int run(void)
{
	int ended = 0;

	for (;;) {
		must_ioctl(&machine, machine.vcpu_fd, KVM_RUN, 0);
		if (machine.run->exit_reason == KVM_EXIT_IOAPIC_EOI && !ended)
			ended = machine.run->eoi.vector;
		else if (machine.run->exit_reason != KVM_EXIT_IO)
			die("KVM_RUN: exit %u", machine.run->exit_reason);
		else if (machine.run->io.port == PORT)
			return ended;
	}
}

// What the guest takes next, alone: `vector` (0: nothing) with (`end`) or without its end told.
static void takes(const char *what, uint32_t vector, bool end)
{
	volatile uint32_t *log = (volatile uint32_t *)(memory + LOG);

	log[0] = 0;
	expect(what, run(), end ? (int)vector : 0);
	expect(what, log[0], vector != 0);
	if (vector && log[0])
		expect(what, log[1], vector);
}

static void errors(const char *device)
{
	struct routing r = { .head.nr = 0 };
	int fd = new_eventfd(), other = new_eventfd();

	machine_open(&machine, device);
	expect("KVM_CAP_IRQFD", ioctl(machine.vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQFD), 1);
	expect("KVM_CAP_IRQ_ROUTING", ioctl(machine.vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING), 4096);
	expect("routes without an irqchip", set_routing(&r), -EINVAL);
	expect("irqfd without an irqchip", irqfd(fd, 1, 0), -EINVAL);
	expect("away with what is not there", irqfd(fd, 1, KVM_IRQFD_FLAG_DEASSIGN), 0);
	expect("split", machine_enable(&machine, KVM_CAP_SPLIT_IRQCHIP, PINS), 0);
	expect("no routes", set_routing(&r), 0);
	r.head.flags = 1;
	expect("a flag", set_routing(&r), -EINVAL);
	r = (struct routing){ .head.nr = 4097 };
	expect("too many", set_routing(&r), -EINVAL);
	r.head.nr = 0;
	route(&r, 4095, 0x50);
	expect("the last number", set_routing(&r), 0);
	r.entry[0].gsi = 4096;
	expect("past the last number", set_routing(&r), -EINVAL);
	r.entry[0].gsi = 1;
	r.entry[0].flags = KVM_MSI_VALID_DEVID;
	expect("a device's number", set_routing(&r), 0);
	r.entry[0].flags = 2;
	expect("an entry's flag", set_routing(&r), -EINVAL);
	r.entry[0].flags = 0;
	r.entry[0].type = KVM_IRQ_ROUTING_IRQCHIP;
	expect("a pin of a chip that is not there", set_routing(&r), -EINVAL);
	r.entry[0].type = 99;
	expect("no kind", set_routing(&r), -EINVAL);
	r.entry[0].type = KVM_IRQ_ROUTING_MSI;
	r.entry[0].u.msi.address_hi = 1;
	expect("an upper half that does not count", set_routing(&r), 0);
	expect("32-bit IDs", machine_enable(&machine, KVM_CAP_X2APIC_API, 1), 0);
	expect("an upper half that is none", set_routing(&r), -EINVAL);
	r.entry[0].u.msi.address_hi = 0x100;
	expect("an upper half", set_routing(&r), 0);
	route(&r, 1, 0x51);
	expect("a number twice", set_routing(&r), -EINVAL);

	expect("flags", irqfd(fd, 1, 4), -EINVAL);
	expect("sampled again", irqfd(fd, 1, KVM_IRQFD_FLAG_RESAMPLE), -EINVAL);
	expect("no file", irqfd(-1, 1, 0), -EBADF);
	expect("no eventfd", irqfd(machine.vm_fd, 1, 0), -EINVAL);
	expect("no file to take away", irqfd(-1, 1, KVM_IRQFD_FLAG_DEASSIGN), -EBADF);
	expect("no eventfd to take away", irqfd(machine.vm_fd, 1, KVM_IRQFD_FLAG_DEASSIGN), -EINVAL);
	expect("an irqfd", irqfd(fd, 1, 0), 0);
	expect("the same once more", irqfd(fd, 1, 0), -EBUSY);
	expect("the same for another", irqfd(fd, 2, 0), -EBUSY);
	expect("another for the same", irqfd(other, 1, 0), 0);
	expect("away with that of another", irqfd(fd, 2, KVM_IRQFD_FLAG_DEASSIGN), 0);
	expect("it is still there", irqfd(fd, 3, 0), -EBUSY);
	expect("away with it", irqfd(fd, 1, KVM_IRQFD_FLAG_DEASSIGN), 0);
	expect("anew", irqfd(fd, 0xffffffff, 0), 0);
	tell(fd);
	tell(other);
	// The VM goes first, then one of its eventfds is signalled once more.
	machine_close(&machine);
	tell(fd);
	close(fd);
	close(other);
}

static void *tell_later(void *fd)
{
	usleep(20000);
	tell(*(int *)fd);
	return NULL;
}

static void interrupts(const char *device)
{
	struct kvm_ioeventfd event = { .addr = EVENT_PORT, .len = 1, .flags = KVM_IOEVENTFD_FLAG_PIO };
	struct kvm_msi message = { .address_lo = MESSAGE, .data = 0x60 };
	struct routing r = { .head.nr = 0 };
	int edge = new_eventfd(), level = new_eventfd(), high = new_eventfd(), pin = new_eventfd(), nowhere = new_eventfd();
	uint64_t count;
	pthread_t thread;

	make(device);
	expect("before there are routes", irqfd(edge, 30, 0), 0);
	tell(edge);
	run();
	takes("no route yet", 0, false);
	route(&r, 30, 0x50);
	route(&r, 5, 0x60 | LEVEL);
	route(&r, PINS, 0x61 | LEVEL);
	route(&r, 6, 0x62);
	expect("routes", set_routing(&r), 0);
	expect("level", irqfd(level, 5, 0), 0);
	expect("level past the pins", irqfd(high, PINS, 0), 0);
	expect("edge of a pin", irqfd(pin, 6, 0), 0);
	expect("no route", irqfd(nowhere, 7, 0), 0);

	takes("nothing", 0, false);
	tell(edge);
	takes("an edge", 0x50, false);
	expect("its eventfd is read", read(edge, &count, 8) < 0 ? errno : 0, EAGAIN);
	tell(level);
	takes("a level", 0x60, true);
	tell(level);
	takes("a level again", 0x60, true);
	tell(high);
	takes("a level of no pin", 0x61, false);
	tell(pin);
	takes("an edge of a pin", 0x62, false);
	tell(nowhere);
	takes("a number without a route", 0, false);
	expect("a level's vector, as an edge", ioctl(machine.vm_fd, KVM_SIGNAL_MSI, &message), 1);
	takes("a level's vector, as an edge", 0x60, true);

	// Other routes, while the eventfds stay.
	r.head.nr = 0;
	route(&r, 30, 0x70);
	route(&r, 8, 0x60 | LEVEL);
	expect("other routes", set_routing(&r), 0);
	tell(edge);
	takes("another vector", 0x70, false);
	tell(level);
	takes("a route that has gone", 0, false);

	expect("away", irqfd(edge, 30, KVM_IRQFD_FLAG_DEASSIGN), 0);
	tell(edge);
	takes("nobody listens", 0, false);
	expect("signalled before", irqfd(edge, 30, 0), 0);
	takes("signalled before", 0x70, false);

	// A write to a port becomes an interrupt, as long as the eventfd has a file.
	event.fd = edge;
	must_ioctl(&machine, machine.vm_fd, KVM_IOEVENTFD, &event);
	takes("the guest's own", 0x70, false);
	close(edge);
	usleep(10000); // stock KVM leaves it to a thread of its own
	takes("the guest's own, with its file closed", 0, false);
	expect("away", irqfd(nowhere, 7, KVM_IRQFD_FLAG_DEASSIGN), 0);
	expect("one more", irqfd(nowhere, 30, 0), 0);

	// A vCPU that waits in the kernel wakes.
	machine_set_entry(&machine, CODE + (guest_halt - guest_begin), STACK);
	if (pthread_create(&thread, NULL, tell_later, &nowhere))
		die("pthread_create");
	takes("what ends a HLT", 0x70, false);
	pthread_join(thread, NULL);
	machine_close(&machine);
	close(level);
	close(high);
	close(pin);
	close(nowhere);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: irqfd DEVICE");
	alarm(60);
	errors(argv[1]);
	interrupts(argv[1]);
	printf("irqfd: %s: %d checks, %d problems\n", argv[1], checks, problems);
	return problems != 0;
}
