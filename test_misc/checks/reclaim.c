// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The host lacks memory (it is told so): page tables of VMs go, of all of them alike, and the guests notice nothing but that they come again.
#include "machine.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	VMS = 3, PLACES = 64, PLACE = 0x200000, CODE = 0x1000, BASE = 0x10000000, PORT_PASS = 0x80, PORT_WRONG = 0x81,
	// Each takes its time: what is taken comes again while it is taken.
	ROUNDS = 5, FEW = 8,
};

// %ecx: passes so far. Each counts in a word of each 2 MiB, where the count of the pass before must be.
extern const uint8_t guest_begin[], guest_end[];
__asm__(".pushsection .rodata\n"
	".code32\n"
	"guest_begin:\n"
	"	sti\n"
	"1:	movl $0x10000000, %edi\n"
	"	movl $64, %edx\n"
	"2:	movl (%edi), %eax\n"
	"	cmpl %ecx, %eax\n"
	"	jne 3f\n"
	"	incl %eax\n"
	"	movl %eax, (%edi)\n"
	"	addl $0x200000, %edi\n"
	"	decl %edx\n"
	"	jnz 2b\n"
	"	incl %ecx\n"
	"	movl %ecx, %eax\n"
	"	outl %eax, $0x80\n"
	"	jmp 1b\n"
	"3:	outl %eax, $0x81\n"
	"	hlt\n"
	"guest_end:\n"
	".code64\n"
	".popsection\n");

struct guest {
	struct machine m;
	uint8_t *memory;
	uint32_t passes;
};

static struct guest guests[VMS];
static atomic_bool stop;

static void open_guest(struct guest *g, const char *device)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	uint8_t *low;

	machine_open(&g->m, device);
	low = machine_add_memory(&g->m, 0, 0, 0x4000, 0, NULL);
	memcpy(low + CODE, guest_begin, guest_end - guest_begin);
	g->memory = mmap(NULL, (size_t)PLACES * PLACE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	// A large page would need no table.
	if (g->memory == MAP_FAILED || madvise(g->memory, (size_t)PLACES * PLACE, MADV_NOHUGEPAGE))
		die_errno("the guest's memory");
	machine_add_memory(&g->m, 1, BASE, (uint64_t)PLACES * PLACE, 0, g->memory);
	machine_add_vcpu(&g->m, 0);
	machine_set_mode(&g->m, MODE_PROTECTED32, NULL);
	must_ioctl(&g->m, g->m.vcpu_fd, KVM_SET_REGS, &regs);
}

static void run_one_pass(struct guest *g)
{
	uint32_t told;

	must_ioctl(&g->m, g->m.vcpu_fd, KVM_RUN, 0);
	if (g->m.run->exit_reason != KVM_EXIT_IO)
		die("exit reason %u instead of an OUT", g->m.run->exit_reason);
	memcpy(&told, (char *)g->m.run + g->m.run->io.data_offset, sizeof(told));
	if (g->m.run->io.port != PORT_PASS || told != ++g->passes)
		die("pass %u: the guest found %u", g->passes, told);
}

static void check_memory(const struct guest *g)
{
	for (int i = 0; i < PLACES; i++)
		if (*(uint32_t *)(g->memory + (size_t)i * PLACE) != g->passes)
			die("after %u passes place %d has %u", g->passes, i, *(uint32_t *)(g->memory + (size_t)i * PLACE));
}

// Tables of this process's VMs, in the order they were made.
static void read_tables(unsigned long tables[VMS])
{
	FILE *file = fopen("/sys/kernel/debug/likex/ept", "r");
	char line[256];
	int n = 0;

	if (!file)
		die_errno("/sys/kernel/debug/likex/ept");
	while (fgets(line, sizeof(line), file)) {
		unsigned long id, count;
		int pid;

		if (sscanf(line, "vm %lu pid %d frames %*s tables %lu", &id, &pid, &count) == 3 && pid == getpid() && n < VMS)
			tables[n++] = count;
	}
	fclose(file);
	if (n != VMS)
		die("%d VMs in /sys/kernel/debug/likex/ept instead of %d", n, VMS);
}

static unsigned long sum(const unsigned long tables[VMS])
{
	unsigned long all = 0;

	for (int i = 0; i < VMS; i++)
		all += tables[i];
	return all;
}

// All shrinkers are asked for all they have.
static void press(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0 || write(fd, "2", 1) != 1)
		die_errno("/proc/sys/vm/drop_caches");
	close(fd);
}

static void *run_guest(void *argument)
{
	while (!stop)
		run_one_pass(argument);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long before[VMS], after[VMS], again[VMS], freed = 0;
	pthread_t thread;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: reclaim DEVICE\n  Tells the host to give memory back, while VMs idle and while they run. As root; shrinks all caches.\n");
		return 2;
	}
	for (int i = 0; i < VMS; i++) {
		open_guest(&guests[i], argv[1]);
		run_one_pass(&guests[i]);
	}
	read_tables(before);
	press();
	read_tables(after);
	for (int i = 0; i < VMS; i++) {
		if (before[i] < PLACES)
			die("VM %d has %lu tables for %d places in different tables", i, before[i], PLACES);
		if (after[i] > FEW)
			die("VM %d has %lu tables of %lu left", i, after[i], before[i]);
		run_one_pass(&guests[i]);
	}
	read_tables(again);
	if (sum(again) != sum(before))
		die("%lu tables before, and after another pass %lu", sum(before), sum(again));
	printf("%lu tables of idle VMs, %lu under pressure, %lu after another pass\n", sum(before), sum(after), sum(again));

	if (pthread_create(&thread, NULL, run_guest, &guests[0]))
		die("no thread");
	for (int round = 0; round < ROUNDS; round++) {
		press();
		read_tables(after);
		if (sum(after) < sum(before))
			freed += sum(before) - sum(after);
	}
	stop = true;
	pthread_join(thread, NULL);
	for (int i = 0; i < VMS; i++)
		check_memory(&guests[i]);
	if (freed < ROUNDS)
		die("only %lu tables were seen to go in %d rounds", freed, ROUNDS);
	printf("%u passes of a VM that ran meanwhile; %lu tables were missing in %d looks\n", guests[0].passes, freed, ROUNDS);
	for (int i = 0; i < VMS; i++)
		machine_close(&guests[i].m);
	return 0;
}
