// SPDX-License-Identifier: MIT OR GPL-2.0-only
// LiKeX's way to run a virtual machine, from C: one file descriptor for system, VM and vCPU.
// Opens the device (/dev/rust_kvm unless told), builds the test guest, prints what the guest prints (4) until it halts.

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum { GUEST_SIZE = 0x1000, PORT_OUTPUT = 0x3f8, MAX_EXITS = 1000 };

// Prints the sum of al and bl as a digit and a newline, executes CPUID, halts.
static const uint8_t guest_code[] = {
	0xba, 0xf8, 0x03,		// mov $0x3f8, %dx
	0x00, 0xd8,			// add %bl, %al
	0x04, '0',			// add $'0', %al
	0xee,				// out %al, (%dx)
	0xb0, '\n',			// mov $'\n', %al
	0xee,				// out %al, (%dx)
	0x66, 0xb8, 0, 0, 0, 0,		// mov $0, %eax
	0x0f, 0xa2,			// cpuid
	0xf4,				// hlt
};

static const char *device = "/dev/rust_kvm";

static _Noreturn void fail(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "test_misc: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

#define control(fd, request, argument) named_control(fd, request, #request, (unsigned long)(argument))

static int named_control(int fd, unsigned long request, const char *name, unsigned long argument)
{
	int result = ioctl(fd, request, argument);

	if (result < 0)
		fail("%s on %s: %s (errno %d)", name, device, strerror(errno), errno);
	return result;
}

// The first VM ioctl on the system fd: a device with KVM's personality alone has none of that there.
static void give_memory(int fd, void *memory)
{
	struct kvm_userspace_memory_region region = {
		.slot = 0, .guest_phys_addr = 0, .memory_size = GUEST_SIZE, .userspace_addr = (uintptr_t)memory,
	};

	if (ioctl(fd, KVM_SET_USER_MEMORY_REGION, &region) == 0)
		return;
	if (errno == ENOTTY || errno == EINVAL)
		fail("%s does not take VM ioctls on the file descriptor it was opened by (KVM_SET_USER_MEMORY_REGION: %s).\n"
		     "test_misc speaks LiKeX's one-descriptor ABI, which stock KVM does not have: use /dev/rust_kvm, "
		     "or `likex test-vm --device %s` for KVM's three descriptors.", device, strerror(errno), device);
	fail("KVM_SET_USER_MEMORY_REGION on %s: %s (errno %d)", device, strerror(errno), errno);
}

static void start_in_real_mode(int fd)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rip = 0, .rflags = 2, .rax = 2, .rbx = 2 };

	control(fd, KVM_GET_SREGS, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	control(fd, KVM_SET_SREGS, &sregs);
	control(fd, KVM_SET_REGS, &regs);
}

static void print_output(const struct kvm_run *run)
{
	if (run->io.direction != KVM_EXIT_IO_OUT || run->io.port != PORT_OUTPUT)
		fail("the guest did I/O that its program does not have: %s port %#x, %u byte(s)",
		     run->io.direction == KVM_EXIT_IO_OUT ? "out" : "in", run->io.port, run->io.size);
	fwrite((const char *)run + run->io.data_offset, run->io.size, run->io.count, stdout);
}

static void run_until_halt(int fd, const struct kvm_run *run)
{
	for (int exits = 0; exits < MAX_EXITS; exits++) {
		control(fd, KVM_RUN, 0);
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			print_output(run);
			break;
		case KVM_EXIT_HLT:
			return;
		case KVM_EXIT_FAIL_ENTRY:
			fail("the processor refused to enter the guest: hardware reason %#llx",
			     (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		case KVM_EXIT_INTERNAL_ERROR:
			fail("KVM_RUN ended by an internal error, suberror %u", run->internal.suberror);
		default:
			fail("KVM_RUN ended by exit reason %u, expected I/O or HLT", run->exit_reason);
		}
	}
	fail("the guest has not halted after %d exits", MAX_EXITS);
}

int main(int argc, char **argv)
{
	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fprintf(stderr, "usage: test_misc [DEVICE]\nRuns LiKeX's test guest on DEVICE (%s unless told) by one file descriptor.\n", device);
		return 2;
	}
	if (argc == 2)
		device = argv[1];

	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail("cannot open %s: %s (errno %d). %s", device, strerror(errno), errno,
		     errno == ENOENT ? "Is the module loaded (modprobe likex)?" : "Are you in group kvm, or root?");

	int version = control(fd, KVM_GET_API_VERSION, 0);

	if (version != KVM_API_VERSION)
		fail("%s speaks KVM API version %d, this program needs %d", device, version, KVM_API_VERSION);

	void *memory = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap of %d bytes for the guest: %s", GUEST_SIZE, strerror(errno));
	memcpy(memory, guest_code, sizeof(guest_code));

	// CREATE_VM and CREATE_VCPU give descriptors of their own, as KVM does: this program needs neither.
	control(fd, KVM_CREATE_VM, 0);
	give_memory(fd, memory);
	control(fd, KVM_CREATE_VCPU, 0);

	int run_size = control(fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_run *run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (run == MAP_FAILED)
		fail("mmap of the run page (%d bytes) on %s: %s (errno %d)", run_size, device, strerror(errno), errno);
	start_in_real_mode(fd);
	run_until_halt(fd, run);
	return 0;
}
