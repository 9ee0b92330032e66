// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What a VM can be told to do otherwise, and what is counted of it: KVM_CAP_EXIT_ON_EMULATION_FAILURE, KVM_CAP_X86_DISABLE_EXITS and
// KVM_GET_STATS_FD. The same on stock KVM and on LiKeX: vm_caps DEVICE
#include "expect.h"
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CODE = 0x1000, STACK = 0x8000, TABLES = 0x9000, TABLES_SIZE = 0x4000, MEMORY = 0x40000 };
#define HOLE 0x10000000u

static struct machine machine;
static uint8_t *memory;

static int offered(int cap)
{
	return ioctl(machine.system_fd, KVM_CHECK_EXTENSION, cap);
}

// A VM with one vCPU in 64-bit mode; before that, `cap` enabled unless it is 0.
static void make(const char *device, uint32_t cap, uint64_t argument)
{
	machine_open(&machine, device);
	if (cap)
		expect("enable", machine_enable(&machine, cap, argument), 0);
	machine_add_vcpu(&machine, 0);
	memory = machine_add_memory(&machine, 0, 0, MEMORY, 0, NULL);
	machine_set_cpuid(&machine);
	machine_set_mode(&machine, MODE_LONG64, (uint64_t *)(memory + TABLES));
	// Programs may use all of it.
	for (uint64_t *entry = (uint64_t *)(memory + TABLES); entry < (uint64_t *)(memory + TABLES + TABLES_SIZE); entry++)
		if (*entry & 1)
			*entry |= 4;
}

static void load(const void *code, size_t size)
{
	memcpy(memory + CODE, code, size);
	machine_set_entry(&machine, CODE, STACK);
}

static long run(void)
{
	return ioctl(machine.vcpu_fd, KVM_RUN, 0) ? -errno : (long)machine.run->exit_reason;
}

static void ring3(void)
{
	struct kvm_sregs sregs;

	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_SREGS, &sregs);
	sregs.cs.dpl = sregs.ss.dpl = 3;
	sregs.cs.selector |= 3;
	sregs.ss.selector |= 3;
	sregs.idt.limit = 0; // any exception ends the guest
	must_ioctl(&machine, machine.vcpu_fd, KVM_SET_SREGS, &sregs);
}

// An instruction on MMIO that neither device emulates.
static void emulation_failure(const char *device)
{
	static const uint8_t code[] = { 0xdd, 0x04, 0x25, 0, 0, 0, 0x10, 0xf4 }; // fldl HOLE; hlt
	__typeof__(&machine.run->emulation_failure) f;

	for (int program = 0; program < 2; program++) {
		for (int on = 0; on < 2; on++) {
			make(device, on ? KVM_CAP_EXIT_ON_EMULATION_FAILURE : 0, 1);
			load(code, sizeof(code));
			if (program)
				ring3();
			expect("failed emulation", run(), program && !on ? KVM_EXIT_SHUTDOWN : KVM_EXIT_INTERNAL_ERROR);
			f = &machine.run->emulation_failure;
			if (!program || on) {
				expect("suberror", f->suberror, KVM_INTERNAL_ERROR_EMULATION);
				expect("flags", f->flags, KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES);
				expect("instruction", f->insn_size >= 7 && !memcmp(f->insn_bytes, code, 7), 1);
				expect("data", f->ndata >= 3, 1);
			}
			machine_close(&machine);
		}
	}
	make(device, 0, 0);
	expect("more than a bit", machine_enable(&machine, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 2), EINVAL);
	expect("off again", machine_enable(&machine, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 0), 0);
	machine_close(&machine);
}

static uint64_t stat(int fd, const char *name, int *found)
{
	struct kvm_stats_header h;

	*found = 0;
	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || h.name_size > 256)
		return 0;
	for (uint32_t i = 0; i < h.num_desc; i++) {
		char raw[sizeof(struct kvm_stats_desc) + 256] = { 0 };
		size_t size = sizeof(struct kvm_stats_desc) + h.name_size;
		struct kvm_stats_desc *d = (struct kvm_stats_desc *)raw;
		uint64_t value;

		if (pread(fd, raw, size, h.desc_offset + i * size) != (ssize_t)size || strcmp(d->name, name))
			continue;
		*found = d->size == 1 && pread(fd, &value, 8, h.data_offset + d->offset) == 8;
		return *found ? value : 0;
	}
	return 0;
}

static void statistics(const char *device)
{
	static const uint8_t code[] = { 0xe6, 0x10, 0xe6, 0x10, 0xe6, 0x10, 0xf4 }; // out %al, $0x10 three times; hlt
	static const char *const names[] = { "exits", "io_exits", "halt_exits", "signal_exits", "mmio_exits", "irq_exits", "pf_taken" };
	struct kvm_stats_header h;
	char buffer[4096], id[64] = { 0 };
	uint64_t io, halt;
	int vm, vcpu, found;
	ssize_t size;

	make(device, 0, 0);
	expect("capability", offered(KVM_CAP_BINARY_STATS_FD), 1);
	vm = ioctl(machine.vm_fd, KVM_GET_STATS_FD, 0);
	vcpu = ioctl(machine.vcpu_fd, KVM_GET_STATS_FD, 0);
	expect("files", vm >= 0 && vcpu >= 0, 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		stat(vcpu, names[i], &found);
		expect(names[i], found, 1);
	}
	stat(vm, "remote_tlb_flush", &found);
	expect("of the VM", found, 1);
	io = stat(vcpu, "io_exits", &found);
	halt = stat(vcpu, "halt_exits", &found);
	load(code, sizeof(code));
	for (int i = 0; i < 4; i++)
		run();
	expect("I/O", stat(vcpu, "io_exits", &found) - io, 3);
	expect("HLT", stat(vcpu, "halt_exits", &found) - halt, 1);
	expect("exits", stat(vcpu, "exits", &found) >= 4, 1);

	// One after the other, from anywhere, and no more than there is.
	expect("header", read(vcpu, &h, sizeof(h)), sizeof(h));
	expect("identifier", pread(vcpu, id, h.name_size < 63 ? h.name_size : 63, h.id_offset) > 0 && id[0] != 0, 1);
	size = pread(vcpu, buffer, sizeof(buffer), 0);
	expect("whole", size >= (ssize_t)h.data_offset + 8, 1);
	expect("last byte", pread(vcpu, buffer, 100, size - 1), 1);
	expect("behind", pread(vcpu, buffer, 100, size), 0);
	expect("far behind", pread(vcpu, buffer, 100, 0x7fffffffffff0000), 0);
	expect("kernel's address", pread(vcpu, (void *)0xffff888000001000ul, 100, 0) == -1 ? errno : 0, EFAULT);
	expect("write", write(vcpu, buffer, 8) == -1 ? errno : 0, EBADF);
	// The files outlive their VM's.
	machine_close(&machine);
	expect("after the end", stat(vcpu, "io_exits", &found) - io, 3);
	stat(vm, "remote_tlb_flush", &found);
	expect("of the VM after the end", found, 1);
	close(vm);
	expect("the vCPU's alone", stat(vcpu, "io_exits", &found) - io, 3);
	close(vcpu);
}

int main(int argc, char **argv)
{
	int disable;

	if (argc != 2)
		die("usage: vm_caps DEVICE");
	machine_open(&machine, argv[1]);
	expect("emulation failure", offered(KVM_CAP_EXIT_ON_EMULATION_FAILURE), 1);
	disable = offered(KVM_CAP_X86_DISABLE_EXITS);
	expect("PAUSE", disable & 4, 4);
	expect("unknown exit", machine_enable(&machine, KVM_CAP_X86_DISABLE_EXITS, 1u << 16), EINVAL);
	expect("all that is offered", machine_enable(&machine, KVM_CAP_X86_DISABLE_EXITS, disable), 0);
	expect("nothing", machine_enable(&machine, KVM_CAP_X86_DISABLE_EXITS, 0), 0);
	machine_add_vcpu(&machine, 0);
	expect("with a vCPU", machine_enable(&machine, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_PAUSE), EINVAL);
	machine_close(&machine);
	emulation_failure(argv[1]);
	statistics(argv[1]);
	printf("vm_caps: %s: %d checks, %d problems\n", argv[1], checks, problems);
	return problems != 0;
}
