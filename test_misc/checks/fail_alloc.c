// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A VM's whole life, with the module's first allocation failing, then with its second ..., until none is left to fail. Every call either works or
// says ENOMEM and has changed nothing: it works when it is made again, and the guest comes to its result. Needs the module's debug build
// (LIKEX_FAIL_ALLOC=y test_misc/lab/kmod build 6.1).
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../kmod/include/uapi/likex.h"

#define FAIL_NTH "/sys/module/likex/parameters/fail_nth"
#define PAGES "/sys/module/likex/parameters/pages"
enum { MEMORY = 0x4000, PAGE = 4096, HIGH = 0x100000, ENTRIES = 256, FEWEST = 20, MOST = 1000, PORT = 0x80, RESULT = 0x1235 };

static const char *device;
static uint8_t *memory, *high;
static struct kvm_cpuid2 *cpuid;
static int parameter, pages_parameter, event_fd;
static unsigned int failed; // calls of this life

static void arm(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(parameter, text, length, 0) != length)
		die_errno("cannot write %s", FAIL_NTH);
}

static unsigned int number(int fd, const char *path)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 1)
		die_errno("cannot read %s", path);
	return atoi(text);
}

// How many more allocations until one fails; 0: it has.
static unsigned int armed(void)
{
	return number(parameter, FAIL_NTH);
}

// Pages that the module has.
static unsigned int pages(void)
{
	return number(pages_parameter, PAGES);
}

// After a call: true where it shall be made again.
static bool again(const char *what, long result)
{
	if (result >= 0)
		return false;
	// The kernel's own word for a page that could not be had is ours, too.
	if ((errno != ENOMEM && !(errno == EFAULT && !strcmp(what, "KVM_RUN"))) || failed || armed())
		die_errno("%s, %s", what, failed ? "made again" : armed() ? "though nothing has failed" : "whose allocation failed");
	failed++;
	return true;
}

#define CALL(fd, request, argument) call(fd, request, #request, (unsigned long)(argument))
static int call(int fd, unsigned long request, const char *name, unsigned long argument)
{
	int result;

	do
		result = ioctl(fd, request, argument);
	while (again(name, result));
	return result;
}

static void set_slot(int vm, uint32_t slot, uint64_t base, uint64_t size, void *at)
{
	struct kvm_userspace_memory_region region = { .slot = slot, .guest_phys_addr = base, .memory_size = size, .userspace_addr = (uintptr_t)at };

	CALL(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void set_event(int vm, uint32_t port, uint32_t flags)
{
	struct kvm_ioeventfd event = { .addr = port, .len = 1, .fd = event_fd, .flags = KVM_IOEVENTFD_FLAG_PIO | flags };

	CALL(vm, KVM_IOEVENTFD, &event);
}

// Registers out and in again, by every call that has memory of its own for it.
static void set_state(int system, int vcpu)
{
	struct { struct kvm_msrs head; struct kvm_msr_entry entry; } msrs = { .head.nmsrs = 1, .entry.index = 0x10 };
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	uint64_t mcg_cap = 10;

	cpuid->nent = ENTRIES;
	CALL(system, KVM_GET_SUPPORTED_CPUID, cpuid);
	CALL(vcpu, KVM_SET_CPUID2, cpuid);
	CALL(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	sregs.ds.base = HIGH;
	CALL(vcpu, KVM_SET_SREGS, &sregs);
	CALL(vcpu, KVM_SET_REGS, &regs);
	CALL(vcpu, KVM_GET_MSRS, &msrs);
	CALL(vcpu, KVM_SET_MSRS, &msrs);
	CALL(vcpu, KVM_GET_XSAVE, &xsave);
	CALL(vcpu, KVM_SET_XSAVE, &xsave);
	CALL(vcpu, KVM_X86_SETUP_MCE, &mcg_cap);
}

// Until the guest's HLT, with what it wrote where it wrote it.
static void run(int vcpu, size_t run_size)
{
	struct kvm_run *page = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	uint64_t told = 0;

	if (page == MAP_FAILED)
		die_errno("mmap of the run page (%zu bytes) of %s", run_size, device);
	memset(high, 0, PAGE);
	CALL(vcpu, KVM_RUN, 0);
	if (page->exit_reason != KVM_EXIT_HLT || *(uint16_t *)high != RESULT)
		die("the guest ended with exit reason %u and %#x, not with HLT and %#x", page->exit_reason, *(uint16_t *)high, RESULT);
	if (read(event_fd, &told, sizeof(told)) != sizeof(told) || told != 1)
		die("the eventfd was told %llu times, not once", (unsigned long long)told);
	munmap(page, run_size);
}

static void by_steps(int system)
{
	int vm = CALL(system, KVM_CREATE_VM, 0), vcpu;

	set_slot(vm, 0, 0, MEMORY, memory);
	set_slot(vm, 1, 2 * HIGH, PAGE, high);
	set_slot(vm, 1, HIGH, PAGE, high); // moved
	set_slot(vm, 2, 4 * HIGH, PAGE, high);
	set_slot(vm, 2, 4 * HIGH, 0, high); // deleted
	set_event(vm, PORT, 0);
	set_event(vm, PORT + 1, 0);
	set_event(vm, PORT + 1, KVM_IOEVENTFD_FLAG_DEASSIGN);
	vcpu = CALL(vm, KVM_CREATE_VCPU, 0);
	set_state(system, vcpu);
	run(vcpu, CALL(system, KVM_GET_VCPU_MMAP_SIZE, 0));
	close(vcpu);
	close(vm);
}

// A vCPU with a local APIC, and routes to it.
static void with_apic(int system)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry;
	} routes = { .head.nr = 1, .entry = { .gsi = 1, .type = KVM_IRQ_ROUTING_MSI, .u.msi = { .address_lo = 0xfee00000, .data = 0x40 } } };
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	int vm = CALL(system, KVM_CREATE_VM, 0);

	CALL(vm, KVM_ENABLE_CAP, &split);
	close(CALL(vm, KVM_CREATE_VCPU, 0));
	CALL(vm, KVM_SET_GSI_ROUTING, &routes);
	close(vm);
}

static void at_once(int system)
{
	struct likex_create c = {
		.size = sizeof(c), .flags = LIKEX_CREATE_REGS, .memslots = 2, .cpuid = (uintptr_t)cpuid, .regs = { .rflags = 2 },
		.memslot = {
			{ .slot = 0, .memory_size = MEMORY, .userspace_addr = (uintptr_t)memory },
			{ .slot = 1, .guest_phys_addr = HIGH, .memory_size = PAGE, .userspace_addr = (uintptr_t)high },
		},
	};

	CALL(system, LIKEX_CREATE, &c);
	close(c.created.vcpu_fd);
	close(c.created.vm_fd);
}

// The descriptor that comes next: the same as long as none is lost.
static int next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

// True: no allocation was the n-th.
static bool live(unsigned int n, unsigned int *told)
{
	unsigned int pages_before = pages(), left;
	int first = next_fd(), system;

	failed = 0;
	arm(n);
	do
		system = open(device, O_RDWR | O_CLOEXEC);
	while (again("open", system));
	by_steps(system);
	with_apic(system);
	at_once(system);
	close(system);
	left = armed();
	arm(0);
	if (pages() != pages_before)
		die("allocation %u failed, and the module has %u pages, before it had %u", n, pages(), pages_before);
	if (next_fd() != first)
		die("a descriptor is left of a call that failed");
	*told += failed;
	return left;
}

int main(int argc, char **argv)
{
	static const uint8_t code[] = {
		0xa1, 0x00, 0x00, 0x05, 0x34, 0x12, 0x40, 0xa3, 0x00, 0x00, // movw 0, %ax; addw $0x1234, %ax; incw %ax; movw %ax, 0
		0xe6, PORT, 0xf4,                                           // outb %al, $PORT; hlt
	};
	int rounds = argc == 3 ? atoi(argv[2]) : 0;
	unsigned int n = 0, told = 0;

	if (rounds < 1 || argv[1][0] == '-') {
		fprintf(stderr, "usage: fail_alloc DEVICE ROUNDS\n");
		return 2;
	}
	device = argv[1];
	parameter = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (parameter < 0)
		die_errno("cannot open %s (that is in a build with LIKEX_FAIL_ALLOC=y only)", FAIL_NTH);
	pages_parameter = open(PAGES, O_RDONLY | O_CLOEXEC);
	if (pages_parameter < 0)
		die_errno("cannot open %s", PAGES);
	event_fd = eventfd(0, EFD_CLOEXEC);
	memory = mmap(NULL, MEMORY + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cpuid = calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));
	if (event_fd < 0 || memory == MAP_FAILED || !cpuid)
		die_errno("no memory or no eventfd");
	high = memory + MEMORY;
	memcpy(memory, code, sizeof(code));
	for (int round = 0; round < rounds; round++) {
		told = 0;
		for (n = 1; !live(n, &told); n++)
			if (n > MOST)
				die("%d allocations in one life, and no end", MOST);
	}
	printf("each of %u allocations failed once, %u calls said so and worked when made again\n", n - 1, told);
	if (n - 1 < FEWEST || told < (n - 1) / 2) {
		printf("FAILED: fewer than %d of them, or fewer than half were noticed\n", FEWEST);
		return 1;
	}
	return 0;
}
