// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The host takes memory back from a VMM whose guest uses half of it: it takes the other half, though the VMM's own page tables show no access to either.
#include "machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	PAGE = 0x1000, CODE = 0x1000, BASE = 0x10000000, PORT_DONE = 0x80,
	PAGES = 1024, USED = PAGES / 2,
	// So many are wanted back in each step (the kernel takes no fewer at a time), until half of what nobody uses is gone: there are always enough of those.
	STEP_PAGES = 32, STEPS = 2 * PAGES / STEP_PAGES,
	// Used pages that may go all the same: the host looks at some twice before the guest comes by again.
	FEW = USED / 16,
};

// Writes a word of each page from the first up to that which %ebx counts, then tells; again and again.
extern const uint8_t guest_begin[], guest_end[];
__asm__(".pushsection .rodata\n"
	".code32\n"
	"guest_begin:\n"
	"1:	movl $0x10000000, %edi\n"
	"	movl %ebx, %ecx\n"
	"2:	incl (%edi)\n"
	"	addl $0x1000, %edi\n"
	"	decl %ecx\n"
	"	jnz 2b\n"
	"	outl %eax, $0x80\n"
	"	jmp 1b\n"
	"guest_end:\n"
	".code64\n"
	".popsection\n");

static void use(struct machine *m)
{
	must_ioctl(m, m->vcpu_fd, KVM_RUN, 0);
	if (m->run->exit_reason != KVM_EXIT_IO || m->run->io.port != PORT_DONE)
		die("exit reason %u instead of an OUT", m->run->exit_reason);
}

static int resident(const uint8_t *memory, size_t pages)
{
	unsigned char in[PAGES];
	int n = 0;

	if (mincore((void *)memory, pages * PAGE, in))
		die_errno("mincore");
	for (size_t i = 0; i < pages; i++)
		n += in[i] & 1;
	return n;
}

// The group's kernel is to give back so many bytes. It says EAGAIN if it could not give all.
static void reclaim(int group, int bytes)
{
	char text[20];
	int length = snprintf(text, sizeof(text), "%d", bytes);
	int fd = openat(group, "memory.reclaim", O_WRONLY);

	if (fd < 0 || write(fd, text, length) != length)
		die_errno("memory.reclaim of %d bytes", bytes);
	close(fd);
}

int main(int argc, char **argv)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rbx = PAGES };
	struct machine m;
	uint8_t *low, *memory;
	int group, procs, used, unused;
	uint32_t passes;

	if (argc != 3 || argv[1][0] == '-') {
		fprintf(stderr, "usage: ageing DEVICE GROUP\n"
				"  GROUP: an empty directory of a cgroup2 file system, with the memory controller. There must be swap space.\n");
		return 2;
	}
	group = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	procs = group < 0 ? -1 : openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (procs < 0 || write(procs, "0", 1) != 1)
		die_errno("joining %s", argv[2]);

	machine_open(&m, argv[1]);
	low = machine_add_memory(&m, 0, 0, 0x4000, 0, NULL);
	memcpy(low + CODE, guest_begin, guest_end - guest_begin);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, PAGES * PAGE, MADV_NOHUGEPAGE))
		die_errno("the guest's memory");
	machine_add_memory(&m, 1, BASE, PAGES * PAGE, 0, memory);
	machine_add_vcpu(&m, 0);
	machine_set_mode(&m, MODE_PROTECTED32, NULL);
	must_ioctl(&m, m.vcpu_fd, KVM_SET_REGS, &regs);

	use(&m);
	regs.rbx = USED;
	must_ioctl(&m, m.vcpu_fd, KVM_SET_REGS, &regs);
	for (passes = 1; passes <= STEPS; passes++) {
		unused = resident(memory + USED * PAGE, PAGES - USED);
		if (unused <= (PAGES - USED) / 2)
			break;
		use(&m);
		reclaim(group, STEP_PAGES * PAGE);
	}
	used = resident(memory, USED);
	printf("%d of %d pages that the guest uses are there, %d of %d that it doesn't\n", used, USED, unused, PAGES - USED);
	for (size_t i = 0; i < PAGES; i++)
		if (*(uint32_t *)(memory + i * PAGE) != (i < USED ? passes : 1))
			die("page %zu: %u instead of %u", i, *(uint32_t *)(memory + i * PAGE), i < USED ? passes : 1);
	if (passes > STEPS)
		die("the host has not found what nobody uses");
	if (used < USED - FEW)
		die("the host takes what the guest uses");
	return 0;
}
