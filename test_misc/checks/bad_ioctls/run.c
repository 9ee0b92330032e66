// SPDX-License-Identifier: MIT OR GPL-2.0-only
// KVM_RUN in wrong order or state, the run page mapped wrongly, descriptors used by another process.
#include "rows.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// What KVM_RUN gives: its error, or the exit reason.
static long run(struct setup *s)
{
	return ioctl(s->vcpu, KVM_RUN, 0) ? -1 : (long)s->run->exit_reason;
}

ROW(run_to_halt) { return run(s); }
ROW(run_with_argument) { return ioctl(s->vcpu, KVM_RUN, 1); }
ROW(run_immediate_exit)
{
	s->run->immediate_exit = 1;
	return run(s);
}
ROW(run_without_memory)
{
	set_region(s, 0, 0, 0, 0, 0);
	return run(s);
}
ROW(run_with_memory_not_mapped)
{
	munmap(s->memory, MEMORY_SIZE);
	return run(s);
}
ROW(run_with_memory_closed)
{
	mprotect(s->memory, MEMORY_SIZE, PROT_NONE);
	return run(s);
}
ROW(run_store_to_memory_not_writable)
{
	memcpy(s->memory, (uint8_t[]){ 0xa2, 0x00, 0x20, 0xf4 }, 4); // mov %al, 0x2000; hlt
	mprotect(s->memory, MEMORY_SIZE, PROT_READ);
	return run(s);
}
ROW(run_unknown_sync_registers)
{
	s->run->kvm_valid_regs = 1 << 20;
	return run(s);
}
ROW(run_after_vm_closed)
{
	close(s->vm);
	return run(s);
}
ROW(run_after_all_but_vcpu_closed)
{
	close(s->vm);
	close(s->system);
	return run(s);
}
ROW(run_after_shutdown)
{
	struct kvm_sregs r;

	ioctl(s->vcpu, KVM_GET_SREGS, &r);
	r.idt.limit = 0;
	r.cr0 |= 1;
	ioctl(s->vcpu, KVM_SET_SREGS, &r);
	s->memory[0] = 0xcc; // int3
	return run(s);
}
ROW(run_invalid_instruction_without_idt)
{
	memcpy(s->memory, (uint8_t[]){ 0x0f, 0x0b }, 2); // ud2
	// The vector's entry of the IVT leads to a HLT at 0x100.
	memcpy(s->memory + 6 * 4, (uint8_t[]){ 0x00, 0x01, 0, 0 }, 4);
	s->memory[0x100] = 0xf4;
	return run(s);
}
ROW(run_invalid_guest_state)
{
	struct kvm_regs regs = { .rip = 0x10000, .rflags = 2 };

	ioctl(s->vcpu, KVM_SET_REGS, &regs); // beyond the limit of CS: #GP through the IVT
	memcpy(s->memory + 13 * 4, (uint8_t[]){ 0x00, 0x01, 0, 0 }, 4);
	s->memory[0x100] = 0xf4;
	return run(s);
}
// Only a VMM that does not wait for the window does this: the processor refuses the entry.
ROW(run_interrupt_while_masked)
{
	struct kvm_interrupt request = { .irq = 0x20 };

	ioctl(s->vcpu, KVM_INTERRUPT, &request);
	return run(s);
}

static void nothing(int signal) { (void)signal; }

ROW(run_with_signal_pending)
{
	sigset_t set;
	struct { struct kvm_signal_mask head; uint64_t set; } mask = { .head.len = 8 };

	// SIGUSR1 is blocked outside of KVM_RUN, and pending; KVM_RUN's own mask lets it through.
	signal(SIGUSR1, nothing);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	ioctl(s->vcpu, KVM_SET_SIGNAL_MASK, &mask);
	memcpy(s->memory, (uint8_t[]){ 0xfb, 0xeb, 0xfe }, 3); // sti; jmp .
	return run(s);
}

static long signal_mask(struct setup *s, uint32_t length)
{
	uint32_t mask[64] = { length };

	return ioctl(s->vcpu, KVM_SET_SIGNAL_MASK, mask);
}

ROW(signal_mask_of_0_bytes) { return signal_mask(s, 0); }
ROW(signal_mask_of_4_bytes) { return signal_mask(s, 4); }
ROW(signal_mask_of_8_bytes) { return signal_mask(s, 8); }
ROW(signal_mask_of_16_bytes) { return signal_mask(s, 16); }
ROW(signal_mask_huge) { return signal_mask(s, 0xffffffff); }
ROW(signal_mask_cut_off)
{
	uint32_t *mask = before_closed_page(8);

	mask[0] = 8;
	return ioctl(s->vcpu, KVM_SET_SIGNAL_MASK, mask);
}

// The run page. A map that works gives 0; touching what is not there ends by a signal.
static long map_and_touch(struct setup *s, int size, int protection, int flags, long offset, long touch)
{
	volatile uint8_t *map = mmap(NULL, size, protection, flags, s->vcpu, offset);

	if (map == MAP_FAILED)
		return -1;
	return touch < 0 ? 0 : map[touch] & 0;
}

ROW(map_too_large) { return map_and_touch(s, s->run_size + 0x10000, PROT_READ, MAP_SHARED, 0, -1); }
ROW(map_too_large_touched) { return map_and_touch(s, s->run_size + 0x10000, PROT_READ, MAP_SHARED, 0, s->run_size + 0x8000); }
ROW(map_beyond) { return map_and_touch(s, 0x1000, PROT_READ, MAP_SHARED, 0x100000, -1); }
ROW(map_beyond_touched) { return map_and_touch(s, 0x1000, PROT_READ, MAP_SHARED, 0x100000, 0); }
ROW(map_at_huge_offset_touched) { return map_and_touch(s, 0x1000, PROT_READ, MAP_SHARED, 0x7ffffffff000, 0); }
ROW(map_offset_misaligned) { return map_and_touch(s, 0x1000, PROT_READ, MAP_SHARED, 0x800, 0); }
ROW(map_of_no_bytes) { return map_and_touch(s, 0, PROT_READ, MAP_SHARED, 0, -1); }
ROW(map_readonly) { return map_and_touch(s, 0x1000, PROT_READ, MAP_SHARED, 0, 0); }
ROW(map_private) { return map_and_touch(s, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 0); }
ROW(map_executable) { return map_and_touch(s, 0x1000, PROT_READ | PROT_EXEC, MAP_SHARED, 0, 0); }
ROW(map_store_to_readonly)
{
	volatile uint8_t *map = mmap(NULL, 0x1000, PROT_READ, MAP_SHARED, s->vcpu, 0);

	map[1] = 1;
	return 0;
}

// The same call from a child of the process that made the VM.
static long in_child(int fd, unsigned long request, unsigned long argument)
{
	int status;
	pid_t child = fork();

	if (!child) {
		int result = ioctl(fd, request, argument);

		_exit(result < 0 ? errno : 0);
	}
	waitpid(child, &status, 0);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

ROW(child_run) { return in_child(s->vcpu, KVM_RUN, 0); }
ROW(child_get_regs) { return in_child(s->vcpu, KVM_GET_REGS, (unsigned long)s->memory); }
ROW(child_unknown_on_vcpu) { return in_child(s->vcpu, _IO(KVMIO, 0xfe), 0); }
ROW(child_region) { return in_child(s->vm, KVM_SET_USER_MEMORY_REGION, (unsigned long)s->memory); }
ROW(child_create_vcpu) { return in_child(s->vm, KVM_CREATE_VCPU, 1); }
ROW(child_check_extension_on_vm) { return in_child(s->vm, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY); }
ROW(child_create_vm) { return in_child(s->system, KVM_CREATE_VM, 99); }
ROW(child_get_regs_on_system) { return in_child(s->system, KVM_GET_REGS, (unsigned long)s->memory); }
