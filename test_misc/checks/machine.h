// SPDX-License-Identifier: MIT OR GPL-2.0-only
// One VM of one vCPU on a device with KVM's ABI: what the programs of this directory share.
#ifndef MACHINE_H
#define MACHINE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum machine_mode { MODE_REAL16, MODE_PROTECTED32, MODE_LONG64 };

struct machine {
	const char *device;
	int system_fd, vm_fd, vcpu_fd;
	struct kvm_run *run;
	size_t run_size;
};

// Prints "PROGRAM: message" and ends with 2. With errno where one is set by the caller.
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

// An ioctl that must work: on failure names it and the device, and ends the program.
#define must_ioctl(machine, fd, request, argument) \
	checked_ioctl((machine)->device, fd, request, #request, (unsigned long)(argument))
int checked_ioctl(const char *device, int fd, unsigned long request, const char *name, unsigned long argument);

// Opens the device and makes a VM in it.
void machine_open(struct machine *m, const char *device);
// Makes one more VM on the system fd of FROM.
void machine_open_vm(struct machine *m, const struct machine *from);
// Makes vCPU ID and maps its run page.
void machine_add_vcpu(struct machine *m, unsigned int id);
void machine_close(struct machine *m);

// KVM_ENABLE_CAP of the VM: 0 or errno.
int machine_enable(struct machine *m, uint32_t cap, uint64_t argument);

// Memory of SIZE bytes (pages from mmap, or MEMORY) at guest-physical BASE. Gives where it is mapped.
void *machine_add_memory(struct machine *m, uint32_t slot, uint64_t base, uint64_t size, uint32_t flags, void *memory);

// The device's own supported CPUID becomes the vCPU's.
void machine_set_cpuid(struct machine *m);
// The same becomes that of the vCPU with this descriptor and APIC ID, with an x2APIC and the timer's TSC-deadline mode.
void machine_set_apic_cpuid(struct machine *m, int vcpu_fd, uint32_t id);
// Whether that has the bit of register REG (0-3: eax, ebx, ecx, edx) of LEAF, subleaf 0.
bool machine_offers(const struct machine *m, uint32_t leaf, int reg, int bit);

// Registers for the mode; PAGE_TABLES (host address of guest-physical 0x9000, 16 KiB) is needed for MODE_LONG64.
void machine_set_mode(struct machine *m, enum machine_mode mode, uint64_t *page_tables);
// For MODE_PROTECTED32, in MEMORY that is mapped from address 0 on: a GDT with flat segments 8, of code, and 16, of data, ...
void machine_add_gdt(struct machine *m, uint8_t *memory, uint32_t at);
// ... and a table of 256 interrupt gates: stub I, of 16 bytes, pushes I and jumps to HANDLER.
void machine_add_gates(uint8_t *memory, uint32_t table, uint32_t stubs, uint32_t handler);
void machine_set_entry(struct machine *m, uint64_t rip, uint64_t rsp);

#endif
