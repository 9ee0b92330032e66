// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static void say(const char *format, va_list arguments)
{
	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, arguments);
}

void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(2);
}

void die_errno(const char *format, ...)
{
	int number = errno;
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s (errno %d)\n", strerror(number), number);
	exit(2);
}

int checked_ioctl(const char *device, int fd, unsigned long request, const char *name, unsigned long argument)
{
	int result = ioctl(fd, request, argument);

	if (result < 0)
		die_errno("%s on %s", name, device);
	return result;
}

void machine_open(struct machine *m, const char *device)
{
	memset(m, 0, sizeof(*m));
	m->device = device;
	m->vcpu_fd = -1;
	m->system_fd = open(device, O_RDWR | O_CLOEXEC);
	if (m->system_fd < 0)
		die_errno("cannot open %s (is its module loaded, and may you use it?)", device);

	int version = must_ioctl(m, m->system_fd, KVM_GET_API_VERSION, 0);

	if (version != KVM_API_VERSION)
		die("%s speaks KVM API version %d, this program needs %d", device, version, KVM_API_VERSION);
	m->vm_fd = must_ioctl(m, m->system_fd, KVM_CREATE_VM, 0);
}

void machine_open_vm(struct machine *m, const struct machine *from)
{
	memset(m, 0, sizeof(*m));
	m->device = from->device;
	m->vcpu_fd = -1;
	m->system_fd = dup(from->system_fd);
	if (m->system_fd < 0)
		die_errno("dup of %s", m->device);
	m->vm_fd = must_ioctl(m, m->system_fd, KVM_CREATE_VM, 0);
}

void machine_add_vcpu(struct machine *m, unsigned int id)
{
	m->vcpu_fd = must_ioctl(m, m->vm_fd, KVM_CREATE_VCPU, id);
	m->run_size = must_ioctl(m, m->system_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	m->run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu_fd, 0);
	if (m->run == MAP_FAILED)
		die_errno("mmap of the run page (%zu bytes) of vCPU %u of %s", m->run_size, id, m->device);
}

void machine_close(struct machine *m)
{
	if (m->run)
		munmap(m->run, m->run_size);
	if (m->vcpu_fd >= 0)
		close(m->vcpu_fd);
	close(m->vm_fd);
	close(m->system_fd);
}

void *machine_add_memory(struct machine *m, uint32_t slot, uint64_t base, uint64_t size, uint32_t flags, void *memory)
{
	if (!memory)
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		die_errno("mmap of %llu bytes of guest memory", (unsigned long long)size);

	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = flags, .guest_phys_addr = base, .memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	must_ioctl(m, m->vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
	return memory;
}

static struct kvm_cpuid2 *offered_cpuid(const struct machine *m)
{
	enum { ENTRIES = 256 };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(cpuid->entries[0]));

	if (!cpuid)
		die("no memory for CPUID");
	cpuid->nent = ENTRIES;
	must_ioctl(m, m->system_fd, KVM_GET_SUPPORTED_CPUID, cpuid);
	return cpuid;
}

void machine_set_cpuid(struct machine *m)
{
	struct kvm_cpuid2 *cpuid = offered_cpuid(m);

	must_ioctl(m, m->vcpu_fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

void machine_set_apic_cpuid(struct machine *m, int vcpu_fd, uint32_t id)
{
	struct kvm_cpuid2 *cpuid = offered_cpuid(m);

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == 1) {
			e->ecx |= 1 << 21 | 1 << 24;
			e->ebx = (e->ebx & 0xffffff) | id << 24;
		}
	}
	must_ioctl(m, vcpu_fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

bool machine_offers(const struct machine *m, uint32_t leaf, int reg, int bit)
{
	struct kvm_cpuid2 *cpuid = offered_cpuid(m);
	bool found = false;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &cpuid->entries[i];
		const uint32_t registers[] = { e->eax, e->ebx, e->ecx, e->edx };

		found |= e->function == leaf && e->index == 0 && (registers[reg] >> bit & 1);
	}
	free(cpuid);
	return found;
}

static struct kvm_segment segment(enum machine_mode mode, uint16_t selector, uint8_t type)
{
	struct kvm_segment s = { .limit = 0xffff, .type = type, .present = 1, .s = 1 };

	if (mode == MODE_REAL16)
		return s;
	s.limit = 0xffffffff;
	s.selector = selector;
	s.g = 1;
	s.l = mode == MODE_LONG64 && (type & 8);
	s.db = !s.l;
	return s;
}

// The first GiB, mapped one to one by 2 MiB pages: PML4, PDPT, page directory from guest-physical 0x9000 on.
static void build_page_tables(uint64_t *tables)
{
	enum { PRESENT = 1, WRITE = 2, LARGE = 0x80 };
	uint64_t *directory = tables + 2 * 512;

	memset(tables, 0, 0x4000);
	tables[0] = 0xa000 | PRESENT | WRITE;
	tables[512] = 0xb000 | PRESENT | WRITE;
	for (uint64_t i = 0; i < 512; i++)
		directory[i] = i << 21 | PRESENT | WRITE | LARGE;
}

void machine_set_mode(struct machine *m, enum machine_mode mode, uint64_t *page_tables)
{
	enum { CR0_PE = 1, CR0_MP = 2, CR0_ET = 0x10, CR0_NE = 0x20, CR0_WP = 1 << 16, CR4_PAE = 0x20 };
	struct kvm_sregs sregs;

	must_ioctl(m, m->vcpu_fd, KVM_GET_SREGS, &sregs);
	sregs.cs = segment(mode, 0x08, 0xb);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(mode, 0x10, 3);
	if (mode == MODE_PROTECTED32)
		sregs.cr0 = CR0_PE | CR0_ET | CR0_NE;
	if (mode == MODE_LONG64) {
		build_page_tables(page_tables);
		sregs.cr0 = 0x80000000u | CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP;
		sregs.cr3 = 0x9000;
		sregs.cr4 = CR4_PAE;
		sregs.efer = 0x500;
	}
	must_ioctl(m, m->vcpu_fd, KVM_SET_SREGS, &sregs);
}

void machine_set_entry(struct machine *m, uint64_t rip, uint64_t rsp)
{
	struct kvm_regs regs = { .rip = rip, .rsp = rsp, .rflags = 2 };

	must_ioctl(m, m->vcpu_fd, KVM_SET_REGS, &regs);
}

int machine_enable(struct machine *m, uint32_t cap, uint64_t argument)
{
	struct kvm_enable_cap request = { .cap = cap, .args = { argument } };

	return ioctl(m->vm_fd, KVM_ENABLE_CAP, &request) ? errno : 0;
}

void machine_add_gdt(struct machine *m, uint8_t *memory, uint32_t at)
{
	static const uint64_t gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };
	struct kvm_sregs sregs;

	must_ioctl(m, m->vcpu_fd, KVM_GET_SREGS, &sregs);
	sregs.gdt.base = at;
	sregs.gdt.limit = sizeof(gdt) - 1;
	must_ioctl(m, m->vcpu_fd, KVM_SET_SREGS, &sregs);
	memcpy(memory + at, gdt, sizeof(gdt));
}

void machine_add_gates(uint8_t *memory, uint32_t table, uint32_t stubs, uint32_t handler)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t at = stubs + 16 * i, to = handler - (at + 10);
		uint64_t gate = (at & 0xffff) | 8u << 16 | (uint64_t)(at >> 16 << 16 | 0x8e00) << 32;

		memory[at] = 0x68; // push i
		memcpy(memory + at + 1, &i, 4);
		memory[at + 5] = 0xe9; // jmp handler
		memcpy(memory + at + 6, &to, 4);
		memcpy(memory + table + 8 * i, &gate, 8);
	}
}
