// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The dirty log: two vCPUs write to pages by chance while their log is read again and again. This program compares the memory after each reading: what
// has changed must be in a log, and what is in a log must have changed. Four times: KVM_GET_DIRTY_LOG clears; KVM_CLEAR_DIRTY_LOG does;
// the same with all pages in the log at first; and what the kernel writes for the guest.
#include "machine.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	VCPUS = 2, PAGE = 0x1000, CODE = 0x1000, SLOT = 1, BASE = 0x200000,
	// The guests write to the first, and read the others. The last word of the log isn't full.
	WRITTEN = 256, PAGES = 500, WORDS = (PAGES + 63) / 64,
	// Once in so many readings the log is turned off and on.
	READINGS_A_LOG = 100,
	PORT_TURN = 0x80, PORT_SWEPT = 0x81, PORT_IN = 0x82,
};

// %ebx: where this vCPU's word is in the first page, %esi: any number. It reads each page once, then writes to pages by chance and reads others. IF
// is set and there is an exit now and then: the lab's machine needs that.
extern const uint8_t guest_begin[], guest_end[];
__asm__(".pushsection .rodata\n"
	".code32\n"
	"guest_begin:\n"
	"	sti\n"
	"	movl $500, %edx\n"
	"	movl %ebx, %edi\n"
	"1:	movl (%edi), %eax\n"
	"	addl $4096, %edi\n"
	"	decl %edx\n"
	"	jnz 1b\n"
	"	outl %eax, $0x81\n"
	"turn:	movl $32, %edx\n"
	"2:	imull $1664525, %esi, %esi\n"
	"	addl $1013904223, %esi\n"
	"	movl %esi, %eax\n"
	"	shrl $24, %eax\n"
	"	shll $12, %eax\n"
	"	incl %ecx\n"
	"	movl %ecx, (%ebx,%eax)\n"
	"	movl %esi, %eax\n"
	"	shrl $10, %eax\n"
	"	andl $127, %eax\n"
	"	addl $256, %eax\n"
	"	shll $12, %eax\n"
	"	movl (%ebx,%eax), %eax\n"
	"	decl %edx\n"
	"	jnz 2b\n"
	"	outl %eax, $0x80\n"
	"	jmp turn\n"
	"guest_end:\n"
	".code64\n"
	".popsection\n");

struct guest {
	struct machine m;
	pthread_t thread;
};

static struct guest guests[VCPUS];
static atomic_bool stop;
static atomic_uint swept;
static uint8_t *memory;
static int vm;

static uint64_t log_now[WORDS], log_before[WORDS];
static uint64_t seen[PAGES];			// the words of both vCPUs, when the pages were compared last
static bool changed[PAGES];			// by then
static unsigned long reported, late, clean;

static bool in_log(const uint64_t *log, int page) { return log[page / 64] >> page % 64 & 1; }

static void *run_guest(void *argument)
{
	struct guest *g = argument;

	while (!stop) {
		if (ioctl(g->m.vcpu_fd, KVM_RUN, 0))
			die_errno("KVM_RUN");
		if (g->m.run->exit_reason != KVM_EXIT_IO)
			die("exit reason %u instead of an OUT", g->m.run->exit_reason);
		if (g->m.run->io.port == PORT_SWEPT)
			swept++;
	}
	return NULL;
}

static int set_slot(uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = SLOT, .flags = flags, .guest_phys_addr = BASE, .memory_size = PAGES * PAGE, .userspace_addr = (uintptr_t)memory,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static int get_log(void)
{
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = log_now };

	return ioctl(vm, KVM_GET_DIRTY_LOG, &log);
}

// What log_now has, in two pieces.
static void clear_log(void)
{
	const int middle = 128;
	struct kvm_clear_dirty_log low = { .slot = SLOT, .num_pages = middle, .dirty_bitmap = log_now };
	struct kvm_clear_dirty_log high = {
		.slot = SLOT, .first_page = middle, .num_pages = PAGES - middle, .dirty_bitmap = log_now + middle / 64,
	};

	if (ioctl(vm, KVM_CLEAR_DIRTY_LOG, &low) || ioctl(vm, KVM_CLEAR_DIRTY_LOG, &high))
		die_errno("KVM_CLEAR_DIRTY_LOG");
}

static void look_at_memory(bool *differs)
{
	for (int page = 0; page < PAGES; page++) {
		uint64_t now = *(volatile uint64_t *)(memory + (size_t)page * PAGE);

		differs[page] = now != seen[page];
		seen[page] = now;
	}
}

// A page that was written after the log was read and before it was compared is in the next log, and may be unchanged by then. And each vCPU may just be
// about to write to a page that is in the log for that.
static void check_reading(int reading)
{
	bool differs[PAGES];
	unsigned int untouched = 0;

	look_at_memory(differs);
	for (int page = 0; page < PAGES; page++) {
		if (changed[page] && !in_log(log_before, page) && !in_log(log_now, page))
			die("reading %d: page %d has changed and is in neither of two logs", reading, page);
		if (!in_log(log_now, page))
			continue;
		reported++;
		if (differs[page])
			continue;
		if (changed[page])
			late++;
		else if (page >= WRITTEN)
			die("reading %d: page %d, which is only read, is in the log", reading, page);
		else
			untouched++;
	}
	clean += untouched;
	if (untouched > VCPUS)
		die("reading %d: %u pages are in the log that nobody has written to", reading, untouched);
	memcpy(changed, differs, sizeof(changed));
	memcpy(log_before, log_now, sizeof(log_before));
}

static void read_log(bool manual)
{
	if (get_log())
		die_errno("KVM_GET_DIRTY_LOG");
	if (log_now[WORDS - 1] >> PAGES % 64)
		die("the log has pages behind the slot's end: %#llx", (unsigned long long)log_now[WORDS - 1]);
	if (manual)
		clear_log();
}

// The log goes and comes while the guests run: it begins anew, and from then on has all.
static void restart_log(bool manual)
{
	if (set_slot(0))
		die_errno("ending the log");
	if (!get_log() || errno != ENOENT)
		die("KVM_GET_DIRTY_LOG of a slot without a log does not give ENOENT");
	if (set_slot(KVM_MEM_LOG_DIRTY_PAGES))
		die_errno("beginning the log again");
	look_at_memory(changed);
	memset(changed, 0, sizeof(changed));
	// What was written before the look and is in this log was looked at.
	read_log(manual);
	look_at_memory(changed);
	memcpy(log_before, log_now, sizeof(log_before));
}

static void open_guests(const char *device, uint64_t manual)
{
	struct machine *first = &guests[0].m;
	uint8_t *low;

	machine_open(first, device);
	vm = first->vm_fd;
	low = machine_add_memory(first, 0, 0, 0x4000, 0, NULL);
	memcpy(low + CODE, guest_begin, guest_end - guest_begin);
	if (manual) {
		struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { manual } };

		must_ioctl(first, vm, KVM_ENABLE_CAP, &cap);
	}
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		die_errno("mmap");
	if (set_slot(KVM_MEM_LOG_DIRTY_PAGES))
		die_errno("a slot with a log on %s", device);
	memset(seen, 0, sizeof(seen));
	memset(changed, 0, sizeof(changed));
	memset(log_before, 0, sizeof(log_before));
	reported = late = clean = 0;
	for (int i = 0; i < VCPUS; i++) {
		struct kvm_regs regs = { .rip = CODE, .rbx = BASE + i * 4, .rsi = 12345 + i * 777, .rflags = 2 };

		if (i)
			guests[i].m = *first;
		machine_add_vcpu(&guests[i].m, i);
		machine_set_mode(&guests[i].m, MODE_PROTECTED32, NULL);
		must_ioctl(&guests[i].m, guests[i].m.vcpu_fd, KVM_SET_REGS, &regs);
	}
	stop = false;
	swept = 0;
}

static void close_guests(void)
{
	for (int i = 1; i < VCPUS; i++) {
		munmap(guests[i].m.run, guests[i].m.run_size);
		close(guests[i].m.vcpu_fd);
	}
	machine_close(&guests[0].m);
	munmap(memory, PAGES * PAGE);
}

static void read_while_they_write(const char *device, const char *name, uint64_t manual, int readings)
{
	open_guests(device, manual);
	if (manual & KVM_DIRTY_LOG_INITIALLY_SET) {
		read_log(manual);
		for (int page = 0; page < PAGES; page++)
			if (!in_log(log_now, page))
				die("%s: page %d is not in the log at first", name, page);
	}
	for (int i = 0; i < VCPUS; i++)
		if (pthread_create(&guests[i].thread, NULL, run_guest, &guests[i]))
			die("no thread");
	// KVM may report a page when it is read for the first time.
	while (swept < VCPUS)
		sched_yield();
	restart_log(manual);
	for (int reading = 0; reading < readings; reading++) {
		if (reading % READINGS_A_LOG == READINGS_A_LOG - 1) {
			restart_log(manual);
			continue;
		}
		read_log(manual);
		check_reading(reading);
	}
	stop = true;
	for (int i = 0; i < VCPUS; i++)
		pthread_join(guests[i].thread, NULL);
	read_log(manual);
	check_reading(readings);
	read_log(manual);
	for (int word = 0; word < WORDS; word++)
		if (log_now[word])
			die("%s: nobody runs, and word %d of the log is %#llx", name, word, (unsigned long long)log_now[word]);
	if (reported < (unsigned long)readings || reported > (unsigned long)readings * WRITTEN * 9 / 10)
		die("%s: %lu pages in %d logs: too few or too many to mean anything", name, reported, readings);
	printf("%s: %d readings, %lu pages reported, %lu of them in the next reading, %lu before they were written\n", name, readings,
	       reported, late, clean);
	close_guests();
}

// insl: the kernel stores what the VMM answers.
static void kernel_writes(const char *device)
{
	static const uint8_t code[] = { 0xfc, 0x6d, 0xf4 };
	struct guest *g = &guests[0];
	struct kvm_regs regs = { .rip = CODE, .rdi = BASE + 77 * PAGE - 2, .rdx = PORT_IN, .rflags = 2 };
	uint8_t *low;

	open_guests(device, 0);
	low = machine_add_memory(&g->m, 2, 0x8000, 0x1000, 0, NULL);
	memcpy(low, code, sizeof(code));
	regs.rip = 0x8000;
	must_ioctl(&g->m, g->m.vcpu_fd, KVM_SET_REGS, &regs);
	if (ioctl(g->m.vcpu_fd, KVM_RUN, 0) || g->m.run->exit_reason != KVM_EXIT_IO || g->m.run->io.port != PORT_IN)
		die("no IN");
	memset((uint8_t *)g->m.run + g->m.run->io.data_offset, 0x5a, 4);
	if (ioctl(g->m.vcpu_fd, KVM_RUN, 0) || g->m.run->exit_reason != KVM_EXIT_HLT)
		die("no HLT after INS");
	read_log(false);
	for (int page = 0; page < PAGES; page++)
		if (in_log(log_now, page) != (page == 76 || page == 77))
			die("INS across pages 76 and 77: page %d is %sin the log", page, in_log(log_now, page) ? "" : "not ");
	close_guests();
}

int main(int argc, char **argv)
{
	int readings = argc > 2 ? atoi(argv[2]) : 500;

	if (argc < 2 || argc > 3 || argv[1][0] == '-' || readings < 10) {
		fprintf(stderr, "usage: dirty_log DEVICE [READINGS]\n"
				"  Two vCPUs write while their log is read so often in each of two ways (500); 10 at least.\n");
		return 2;
	}
	kernel_writes(argv[1]);
	read_while_they_write(argv[1], "cleared as it is read", 0, readings);
	read_while_they_write(argv[1], "cleared by hand", KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE, readings);
	read_while_they_write(argv[1], "by hand, all at first", KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET, readings / 10);
	return 0;
}
