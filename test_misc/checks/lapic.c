// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A guest of two processors with local APICs in the kernel (KVM_CAP_SPLIT_IRQCHIP): IPIs, INIT and SIPI, NMI, task priority, the three modes of the
// timer, HLT that the kernel ends; in xAPIC and in x2APIC mode. The same on stock KVM and on LiKeX: lapic DEVICE
// And what does not exit where LiKeX has the processor do the work (module parameter virtual_interrupts).
#include "expect.h"
#include "machine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CODE = 0x1000, STUBS = 0x10000, IDT = 0x3000, IDTR = 0x3800, GDT = 0x3900, X2APIC = 0x3ffc, MEMORY = 0x40000, TRAMPOLINE = 0x6000 };
enum { LOG = 0x4000, AP_LOG = 0x4800, AP_FLAGS = 0x5000, STACK = 0x8000, AP_STACK = 0x21000 };

// What the guest's processors log: their number of entries, then those. Vectors as they come; marks of the program are 0x1000 and above.
asm(".pushsection .rodata\n"
    ".code32\n"
    ".macro send icr, to=0\n mov $\\icr, %eax\n mov $\\to, %edx\n call send_ipi\n .endm\n"
    ".macro set reg, value\n mov $\\reg, %ecx\n mov $\\value, %eax\n call write\n .endm\n"
    ".macro get reg\n mov $\\reg, %ecx\n call read\n .endm\n"
    ".macro mark value\n mov $\\value, %eax\n call log\n .endm\n"
    ".macro halt\n sti\n hlt\n cli\n .endm\n"
    ".macro open\n sti\n nop\n nop\n cli\n .endm\n"
    // Waits for a flag of the second processor's.
    ".macro await flag, value\n 77: pause\n cmpl $\\value, 0x5000 + \\flag\n jne 77b\n .endm\n"
    "guest_begin:\n"
    " lidt 0x3800\n"
    " call to_x2apic\n"
    " mark 0x1000\n"
    " get 0x3\n and $0xff, %eax\n call log\n"  // version
    " get 0xf\n call log\n"                     // SVR as after reset
    " get 0x35\n call log\n"                    // LINT0, likewise
    " set 0xf, 0x1ff\n"
    " set 0x35, 0x10000\n"
    // Fixed, to itself: by its ID, by shorthand, by its logical ID.
    " mark 0x1001\n"
    " send 0x4040\n get 0x22\n call log\n get 0x12\n call log\n"
    " open\n get 0x12\n call log\n"
    " send 0x44041\n open\n"
    " cmpl $0, 0x3ffc\n jne 1f\n set 0xd, 0x1000000\n 1:\n"
    " send 0x4842, 1\n open\n"
    // The higher first.
    " send 0x44043\n send 0x44093\n open\n"
    // Task priority.
    " mark 0x1002\n"
    " set 0x8, 0x50\n send 0x44045\n open\n get 0xa\n call log\n"
    " set 0x8, 0x40\n open\n mark 0x1003\n"
    " set 0x8, 0x3f\n open\n set 0x8, 0\n"
    // The timer: once, over and over, at a deadline; masked.
    " mark 0x1004\n"
    " set 0x3e, 0xb\n set 0x32, 0x50\n set 0x38, 100000\n halt\n get 0x39\n call log\n"
    " set 0x32, 0x20051\n set 0x38, 10000000\n halt\n halt\n halt\n set 0x38, 0\n"
    " set 0x32, 0x40052\n rdtsc\n add $200000, %eax\n adc $0, %edx\n mov $0x6e0, %ecx\n wrmsr\n halt\n"
    " mov $0x6e0, %ecx\n rdmsr\n call log\n"
    " rdtsc\n sub $1000, %eax\n sbb $0, %edx\n mov $0x6e0, %ecx\n wrmsr\n halt\n" // over already
    " set 0x32, 0x10053\n set 0x38, 1000\n 2: get 0x39\n test %eax, %eax\n jnz 2b\n open\n"
    // The second processor: INIT, SIPI, IPIs there and back.
    " mark 0x1005\n"
    " send 0x4500, 1\n send 0x4606, 1\n await 0, 1\n"
    " send 0x4070, 1\n await 4, 1\n"
    " send 0x4400, 1\n await 4, 2\n"  // NMI
    " send 0xc4072\n await 4, 3\n"    // all but itself
    " movl $1, 0x5008\n send 0x4073, 1\n"
    "3: sti\n hlt\n cli\n cmpl $0x74, 0x5010\n jne 3b\n"
    " send 0x84075\n open\n await 4, 5\n" // all
    " mark 0x1006\n"
    " set 0x8, 0x20\n"
    " out %al, $0xf4\n"

    // ExtINT of user space, when LINT0 lets it through: a program of its own.
    "guest_extint:\n"
    " lidt 0x3800\n"
    " halt\n"
    " mark 0x1007\n"
    " out %al, $0xf4\n"

    // Messages of user space: one that is there before it runs, in the middle of a HLT one more.
    "guest_msi:\n"
    " lidt 0x3800\n"
    " set 0xf, 0x1ff\n"
    " mark 0x1008\n"
    " out %al, $0xf4\n"
    " halt\n"
    " mark 0x1009\n"
    " out %al, $0xf4\n"

    // What costs no exit where the processor does it; then an interrupt and a task priority that user space left there.
    "guest_quiet:\n"
    " lidt 0x3800\n"
    " call to_x2apic\n"
    " set 0xf, 0x1ff\n"
    " out %al, $0xf4\n"
    " mov $100, %esi\n"
    "1: set 0x8, 0x20\n set 0x8, 0\n set 0xb, 0\n get 0x12\n get 0xa\n get 0xf\n"
    " dec %esi\n jnz 1b\n"
    " mov $100, %esi\n sti\n"
    "1: send 0x44043\n nop\n dec %esi\n jnz 1b\n"
    " cli\n set 0x8, 0x31\n"
    " out %al, $0xf4\n"
    " movl $0, 0x4000\n"
    " get 0x8\n call log\n get 0x12\n call log\n"
    " open\n"
    " get 0x12\n call log\n set 0xb, 0\n get 0x12\n call log\n"
    " out %al, $0xf4\n"

    // Each register of the xAPIC's page, in 4, 2 and 1 bytes.
    "guest_page:\n"
    " mov $0xfee00000, %esi\n"
    "1: mov (%esi), %eax\n call log\n movzwl 2(%esi), %eax\n call log\n movzbl 1(%esi), %eax\n call log\n"
    " add $16, %esi\n cmp $0xfee00400, %esi\n jne 1b\n"
    // Where no register begins, or with too many bytes: nothing is there, and nothing is written.
    " mov 0xfee00fff, %al\n mov 0xfee00822, %ax\n mov 0xfee00034, %eax\n mov %eax, 0xfee00084\n mov %eax, 0xfee00ffc\n mov %ax, 0xfee0036e\n"
    " out %al, $0xf4\n"
    " movl $0, 0x4000\n"
    " set 0xf, 0xfffffdff\n" // so that the others are not masked
    " mov $0x2000, %esi\n"
    "1: mov (%esi), %ecx\n mov 4(%esi), %eax\n call write\n mov (%esi), %ecx\n call read\n call log\n"
    " add $8, %esi\n cmpl $0, (%esi)\n jne 1b\n"
    " out %al, $0xf4\n"

    // Where the registers were before the mode was another there is nothing, nor anything that could be executed.
    "guest_elsewhere:\n"
    " mov 0xfee00030, %eax\n mov %eax, 0xfee00080\n"
    " call to_x2apic\n"
    " mov %eax, 0xfee00080\n"
    " mov $0xfee00080, %eax\n jmp *%eax\n"

    "to_x2apic:\n"
    " cmpl $0, 0x3ffc\n je 1f\n"
    " mov $0x1b, %ecx\n rdmsr\n or $0x400, %eax\n wrmsr\n"
    "1: ret\n"
    // eax, edx: low half, destination
    "send_ipi:\n"
    " mov $0x30, %ecx\n"
    " cmpl $0, 0x3ffc\n jne write_msr\n"
    " shl $24, %edx\n mov %edx, 0xfee00310\n mov %eax, 0xfee00300\n ret\n"
    // ecx, eax: register's number, value
    "write:\n"
    " xor %edx, %edx\n"
    " cmpl $0, 0x3ffc\n jne write_msr\n"
    " shl $4, %ecx\n mov %eax, 0xfee00000(%ecx)\n ret\n"
    "write_msr:\n"
    " add $0x800, %ecx\n wrmsr\n ret\n"
    "read:\n"
    " cmpl $0, 0x3ffc\n jne 1f\n"
    " shl $4, %ecx\n mov 0xfee00000(%ecx), %eax\n ret\n"
    "1: add $0x800, %ecx\n rdmsr\n ret\n"
    // Whose log it is says the stack.
    "log:\n"
    " push %ebx\n push %ecx\n"
    " mov $0x4000, %ebx\n cmp $0x20000, %esp\n jb 1f\n mov $0x4800, %ebx\n"
    "1: mov (%ebx), %ecx\n inc %ecx\n mov %ecx, (%ebx)\n"
    " cmp $0x1f0, %ecx\n ja 1f\n mov %eax, (%ebx, %ecx, 4)\n"
    "1: pop %ecx\n pop %ebx\n ret\n"
    // Every vector's stub pushes its number and comes here.
    "handler:\n"
    " pushal\n"
    " mov 32(%esp), %eax\n"
    " call log\n"
    " cmp $0x74, %eax\n jne 1f\n mov %eax, 0x5010\n"
    "1: cmp $2, %eax\n je 1f\n"
    " set 0xb, 0\n"
    // Here, and not where its HLT ends: an NMI may come before that.
    "1: cmp $0x20000, %esp\n jb 1f\n incl 0x5004\n"
    "1: popal\n add $4, %esp\n iret\n"

    // Where SIPI starts it: real mode at 0x6000.
    "trampoline_begin:\n"
    ".code16\n"
    " cli\n"
    " mov %cs, %ax\n mov %ax, %ds\n"
    " lgdtl trampoline_gdtr - trampoline_begin\n"
    " mov %cr0, %eax\n or $1, %al\n mov %eax, %cr0\n"
    " ljmpl $8, $0x6000 + trampoline_32 - trampoline_begin\n"
    ".balign 8\n"
    "trampoline_gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"
    "trampoline_gdtr: .word 23\n .long 0x6000 + trampoline_gdt - trampoline_begin\n"
    "trampoline_32:\n"
    ".code32\n"
    " mov $0x10, %ax\n mov %ax, %ds\n mov %ax, %es\n mov %ax, %ss\n"
    " mov $0x21000, %esp\n"
    " mov $0x1000 + second - guest_begin, %eax\n jmp *%eax\n"
    "trampoline_end:\n"
    "second:\n"
    " lidt 0x3800\n"
    " call to_x2apic\n"
    " get 0x35\n call log\n" // LINT0 as INIT leaves it
    " set 0xf, 0x1ff\n"
    " movl $1, 0x5000\n"
    "1: sti\n hlt\n cli\n"
    " cmpl $0, 0x5008\n je 1b\n"
    " movl $0, 0x5008\n send 0x4074, 0\n jmp 1b\n"
    "guest_end:\n"
    ".code64\n"
    ".popsection\n");
extern const uint8_t guest_begin[], guest_extint[], guest_msi[], guest_quiet[], guest_page[], guest_elsewhere[];
extern const uint8_t handler[], trampoline_begin[], trampoline_end[], guest_end[];

static struct machine machine;
static int second_fd;
static struct kvm_run *second_run;
static uint8_t *memory;
static volatile bool over;

static int mp_state(int fd)
{
	struct kvm_mp_state s = { 0 };

	return ioctl(fd, KVM_GET_MP_STATE, &s) ? -errno : (int)s.mp_state;
}

static void make(const char *device, bool x2apic)
{
	machine_open(&machine, device);
	expect("split", machine_enable(&machine, KVM_CAP_SPLIT_IRQCHIP, 24), 0);
	machine_add_vcpu(&machine, 0);
	second_fd = checked_ioctl(device, machine.vm_fd, KVM_CREATE_VCPU, "KVM_CREATE_VCPU", 1);
	second_run = mmap(NULL, machine.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, second_fd, 0);
	if (second_run == MAP_FAILED)
		die_errno("mmap");
	memory = machine_add_memory(&machine, 0, 0, MEMORY, 0, NULL);
	machine_set_apic_cpuid(&machine, machine.vcpu_fd, 0);
	machine_set_apic_cpuid(&machine, second_fd, 1);
	machine_set_mode(&machine, MODE_PROTECTED32, NULL);
	machine_add_gdt(&machine, memory, GDT);

	memcpy(memory + CODE, guest_begin, guest_end - guest_begin);
	memcpy(memory + TRAMPOLINE, trampoline_begin, trampoline_end - trampoline_begin);
	machine_add_gates(memory, IDT, STUBS, CODE + (handler - guest_begin));
	memcpy(memory + IDTR, &(uint16_t){ 8 * 256 - 1 }, 2);
	memcpy(memory + IDTR + 2, &(uint32_t){ IDT }, 4);
	memcpy(memory + X2APIC, &(uint32_t){ x2apic }, 4);
}

static void end(void)
{
	munmap(second_run, machine.run_size);
	close(second_fd);
	machine_close(&machine);
}

static void wake(int signal)
{
	(void)signal;
}

static void *run_second(void *nothing)
{
	while (!over) {
		// Stock KVM says EAGAIN when INIT has come.
		if (!ioctl(second_fd, KVM_RUN, 0)) {
			printf("second processor: exit %u\n", second_run->exit_reason);
			problems++;
			break;
		}
		if (errno != EAGAIN && errno != EINTR) {
			printf("second processor: %s\n", strerror(errno));
			problems++;
			break;
		}
	}
	return nothing;
}

static void run_first(void)
{
	long r;

	do
		r = ioctl(machine.vcpu_fd, KVM_RUN, 0);
	while (r && errno == EINTR);
	expect("KVM_RUN", r ? -errno : 0, 0);
	expect("exit", machine.run->exit_reason, KVM_EXIT_IO);
	expect("port", machine.run->io.port, 0xf4);
}

static void expect_log(const char *name, uint32_t at, const uint32_t *expected, uint32_t count)
{
	const uint32_t *log = (const uint32_t *)(memory + at);
	bool same = log[0] == count && !memcmp(log + 1, expected, count * 4);

	checks++;
	if (same)
		return;
	problems++;
	printf("%s logs %u entries, not %u:\n", name, log[0], count);
	for (uint32_t i = 0; i < log[0] && i < 50; i++)
		printf(" %x%s", log[1 + i], i < count && log[1 + i] == expected[i] ? "" : "!");
	printf("\n");
}

static void both(const char *device, bool x2apic)
{
	static const uint32_t first[] = {
		0x1000, 0x14, 0xff, 0x700, 0x1001, 1, 0, 0x40, 0, 0x41, 0x42, 0x93, 0x43, 0x1002, 0x50, 0x1003, 0x45, 0x1004,
		0x50, 0, 0x51, 0x51, 0x51, 0x52, 0, 0x52, 0x1005, 0x74, 0x75, 0x1006,
	};
	static const uint32_t second[] = { 0x10000, 0x70, 2, 0x72, 0x73, 0x75 };
	struct kvm_lapic_state state;
	pthread_t thread;

	printf("%s, %s\n", device, x2apic ? "x2APIC" : "xAPIC");
	make(device, x2apic);
	expect("first's state", mp_state(machine.vcpu_fd), KVM_MP_STATE_RUNNABLE);
	expect("second's state", mp_state(second_fd), KVM_MP_STATE_UNINITIALIZED);
	machine_set_entry(&machine, CODE, STACK);
	over = false;
	if (pthread_create(&thread, NULL, run_second, NULL))
		die("pthread_create");
	run_first();
	expect("CR8 in the run page", machine.run->cr8, 2);
	over = true;
	second_run->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	expect_log("first processor", LOG, first, sizeof(first) / 4);
	expect_log("second processor", AP_LOG, second, sizeof(second) / 4);
	expect("second's state", mp_state(second_fd), KVM_MP_STATE_HALTED);

	// The state goes out and in again.
	must_ioctl(&machine, second_fd, KVM_GET_LAPIC, &state);
	expect("ID", *(uint32_t *)(state.regs + 0x20), 1 << 24);
	expect("SVR", *(uint32_t *)(state.regs + 0xf0), 0x1ff);
	must_ioctl(&machine, second_fd, KVM_SET_LAPIC, &state);
	end();
}

// KVM_INTERRUPT while LINT0 is ExtINT, as after reset: one at a time, and it ends a HLT.
static void extint(const char *device)
{
	static const uint32_t expected[] = { 0x80, 0x1007 };
	struct kvm_interrupt interrupt = { .irq = 0x80 };
	struct kvm_mp_state s = { .mp_state = KVM_MP_STATE_HALTED };

	make(device, false);
	machine_set_entry(&machine, CODE + (guest_extint - guest_begin), STACK);
	must_ioctl(&machine, machine.vcpu_fd, KVM_INTERRUPT, &interrupt);
	expect("one more", ioctl(machine.vcpu_fd, KVM_INTERRUPT, &interrupt) ? errno : 0, EEXIST);
	run_first();
	expect_log("KVM_INTERRUPT", LOG, expected, 2);
	must_ioctl(&machine, machine.vcpu_fd, KVM_SET_MP_STATE, &s);
	expect("halted", mp_state(machine.vcpu_fd), KVM_MP_STATE_HALTED);
	s.mp_state = KVM_MP_STATE_SIPI_RECEIVED;
	must_ioctl(&machine, second_fd, KVM_SET_MP_STATE, &s);
	expect("started", mp_state(second_fd), KVM_MP_STATE_RUNNABLE);
	s.mp_state = 99;
	expect("no state", ioctl(second_fd, KVM_SET_MP_STATE, &s) ? errno : 0, EINVAL);
	end();
}

static int signal_msi(uint32_t address, uint32_t data, uint32_t flags)
{
	struct kvm_msi message = { .address_lo = address, .data = data, .flags = flags };
	int r = ioctl(machine.vm_fd, KVM_SIGNAL_MSI, &message);

	return r < 0 ? -errno : r;
}

static void messages(const char *device)
{
	static const uint32_t expected[] = { 0x1008, 0x90, 0x1009 };

	make(device, false);
	expect("KVM_CAP_SIGNAL_MSI", ioctl(machine.vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SIGNAL_MSI), 1);
	machine_set_entry(&machine, CODE + (guest_msi - guest_begin), STACK);
	run_first();
	expect("a message", signal_msi(0xfee00000, 0x90, 0), 1);
	run_first();
	expect_log("KVM_SIGNAL_MSI", LOG, expected, 3);
	expect("a flag", signal_msi(0xfee00000, 0x91, 1 << 5), -EINVAL);
	end();
	machine_open(&machine, device);
	machine_add_vcpu(&machine, 0);
	expect("no irqchip", signal_msi(0xfee00000, 0x91, 0), -EINVAL);
	machine_close(&machine);
}

static uint64_t exits(void)
{
	struct kvm_stats_header head;
	int fd = ioctl(machine.vcpu_fd, KVM_GET_STATS_FD, 0);
	uint64_t value = 0;

	if (fd < 0 || pread(fd, &head, sizeof(head), 0) != sizeof(head))
		die_errno("KVM_GET_STATS_FD");
	for (uint32_t i = 0; i < head.num_desc; i++) {
		struct kvm_stats_desc d;
		char name[64] = "";
		off_t at = head.desc_offset + (off_t)i * (off_t)(sizeof(d) + head.name_size);

		if (pread(fd, &d, sizeof(d), at) == sizeof(d) && pread(fd, name, sizeof(name) - 1, at + (off_t)sizeof(d)) > 0 &&
		    !strcmp(name, "exits") && pread(fd, &value, sizeof(value), (off_t)head.data_offset + d.offset) != sizeof(value))
			die_errno("statistics");
	}
	close(fd);
	return value;
}

static bool processor_helps(const char *device)
{
	FILE *file = strstr(device, "rust") ? fopen("/sys/module/likex/parameters/virtual_interrupts", "r") : NULL;
	bool yes = file && getc(file) == 'Y';

	if (file)
		fclose(file);
	return yes;
}

static void quiet(const char *device, bool x2apic)
{
	static const uint32_t expected[] = { 0x20, 8, 0x55, 8, 0 };
	bool helped = processor_helps(device);
	struct kvm_lapic_state state;
	struct kvm_sregs sregs;
	uint64_t before, cost;

	make(device, x2apic);
	machine_set_entry(&machine, CODE + (guest_quiet - guest_begin), STACK);
	run_first();
	before = exits();
	run_first();
	cost = exits() - before;
	printf("%s, %s: %llu exits for 600 accesses and 100 interrupts\n", device, x2apic ? "x2APIC" : "xAPIC", (unsigned long long)cost);
	// One for each interrupt that it sends itself; some of the host's. In xAPIC mode one for each end of an interrupt, and of 100 reads of PPR.
	expect("few exits", cost < (x2apic ? 250 : 550), helped);
	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_LAPIC, &state);
	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_SREGS, &sregs);
	expect("TPR", state.regs[0x80], 0x31);
	expect("CR8", sregs.cr8, 3);
	expect("in service", state.regs[0x120], 0);
	state.regs[0x80] = 0x20;
	state.regs[0x120] = 1 << 3;     // 0x43 in service
	state.regs[0x222] = 1 << 5;     // 0x55 requested
	must_ioctl(&machine, machine.vcpu_fd, KVM_SET_LAPIC, &state);
	run_first();
	expect_log("a state that was set", LOG, expected, 5);
	end();
}

static void registers(const char *device)
{
	static const uint32_t there[] = { 2, 3, 8, 10, 13, 14, 15, 16, 23, 24, 31, 32, 39, 40, 48, 49, 50, 51, 52, 53, 54, 55, 56, 62 };
	// What is written to a register, and is read there then.
	static const uint32_t written[][3] = {
		{ 0x8, 0xffffff31, 0x31 }, { 0xd, ~0u, 0xff000000 }, { 0xe, 0, 0x0fffffff }, { 0xe, ~0u, ~0u }, { 0x28, 0, 0 },
		{ 0x31, ~0u, 0xff000000 }, { 0x33, 0xffffafff, 0x107ff }, { 0x34, 0xffffafff, 0x107ff }, { 0x35, 0xffffafff, 0x1a7ff },
		{ 0x36, 0xffffafff, 0x1a7ff }, { 0x37, 0xffffafff, 0x100ff }, { 0x32, 0xfff32051, 0x30051 }, { 0x38, 123456789, 123456789 },
		{ 0x3e, ~0u, 0xb }, { 0xa, ~0u, 0x31 }, { 0x12, ~0u, 0 }, { 0x22, ~0u, 0 }, { 0x30, 0x45000, 0x44000 },
	};
	enum { TABLE = 0x2000, COUNT = sizeof(written) / sizeof(written[0]) };
	const uint32_t *log;
	struct kvm_lapic_state state;

	make(device, false);
	log = (const uint32_t *)(memory + LOG);
	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_LAPIC, &state);
	*(uint32_t *)(state.regs + 0x80) = 0x25;
	*(uint32_t *)(state.regs + 0xd0) = 0x42000000;
	*(uint32_t *)(state.regs + 0xf0) = 0x1ff;
	*(uint32_t *)(state.regs + 0x170) = 0x80000000;
	*(uint32_t *)(state.regs + 0x1f0) = 0x12345678;
	*(uint32_t *)(state.regs + 0x270) = 0x01020304;
	*(uint32_t *)(state.regs + 0x300) = 0x44041;
	*(uint32_t *)(state.regs + 0x310) = 0x33000000;
	*(uint32_t *)(state.regs + 0x360) = 0x10400;
	*(uint32_t *)(state.regs + 0x3e0) = 0xa;
	must_ioctl(&machine, machine.vcpu_fd, KVM_SET_LAPIC, &state);
	machine_set_entry(&machine, CODE + (guest_page - guest_begin), STACK);
	for (uint32_t i = 0; i < COUNT; i++)
		memcpy(memory + TABLE + 8 * i, written[i], 8);
	run_first();
	must_ioctl(&machine, machine.vcpu_fd, KVM_GET_LAPIC, &state);
	expect("registers read", log[0], 64 * 3);
	for (uint32_t i = 0; i < sizeof(there) / 4; i++) {
		uint32_t reg = there[i], value = *(uint32_t *)(state.regs + 16 * reg);
		char name[32];

		snprintf(name, sizeof(name), "register %x", reg);
		expect(name, log[1 + 3 * reg], value);
		expect(name, log[2 + 3 * reg], value >> 16);
		expect(name, log[3 + 3 * reg], value >> 8 & 0xff);
	}
	// So that nothing is in service or waits.
	memset(state.regs + 0x100, 0, 0x180);
	must_ioctl(&machine, machine.vcpu_fd, KVM_SET_LAPIC, &state);
	run_first();
	expect("registers written", log[0], COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		char name[32];

		snprintf(name, sizeof(name), "write %x", written[i][0]);
		expect(name, log[1 + i], written[i][2]);
	}
	end();
}

// (Stock KVM may have its own page there, as memory.)
static void elsewhere(const char *device, bool x2apic)
{
	make(device, x2apic);
	machine_set_entry(&machine, CODE + (guest_elsewhere - guest_begin), STACK);
	if (x2apic) {
		expect("KVM_RUN", ioctl(machine.vcpu_fd, KVM_RUN, 0), 0);
		expect("exit", machine.run->exit_reason, KVM_EXIT_MMIO);
		expect("address", (long)machine.run->mmio.phys_addr, 0xfee00080);
		expect("a write", machine.run->mmio.is_write, 1);
	}
	expect("KVM_RUN", ioctl(machine.vcpu_fd, KVM_RUN, 0), 0);
	expect("exit", machine.run->exit_reason, KVM_EXIT_INTERNAL_ERROR);
	end();
}

static void abi(const char *device)
{
	struct kvm_lapic_state state;
	struct kvm_mp_state s = { .mp_state = KVM_MP_STATE_HALTED };

	machine_open(&machine, device);
	expect("KVM_CAP_SPLIT_IRQCHIP", ioctl(machine.vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SPLIT_IRQCHIP), 1);
	expect("KVM_CAP_TSC_DEADLINE_TIMER", ioctl(machine.vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER), 1);
	expect("KVM_CAP_X2APIC_API", ioctl(machine.vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_X2APIC_API) & 3, 3);
	expect("pins", machine_enable(&machine, KVM_CAP_SPLIT_IRQCHIP, 4097), EINVAL);
	expect("x2APIC flags", machine_enable(&machine, KVM_CAP_X2APIC_API, 1u << 31), EINVAL);
	machine_add_vcpu(&machine, 0);
	expect("too late", machine_enable(&machine, KVM_CAP_SPLIT_IRQCHIP, 24), EEXIST);
	expect("no APIC", ioctl(machine.vcpu_fd, KVM_GET_LAPIC, &state) ? errno : 0, EINVAL);
	expect("no APIC", ioctl(machine.vcpu_fd, KVM_SET_LAPIC, &state) ? errno : 0, EINVAL);
	expect("nothing wakes it", ioctl(machine.vcpu_fd, KVM_SET_MP_STATE, &s) ? errno : 0, EINVAL);
	machine_close(&machine);
	machine_open(&machine, device);
	expect("split", machine_enable(&machine, KVM_CAP_SPLIT_IRQCHIP, 24), 0);
	expect("again", machine_enable(&machine, KVM_CAP_SPLIT_IRQCHIP, 24), EEXIST);
	expect("32-bit IDs", machine_enable(&machine, KVM_CAP_X2APIC_API, 3), 0);
	machine_close(&machine);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = wake };

	if (argc != 2)
		die("usage: lapic DEVICE");
	sigaction(SIGUSR1, &action, NULL);
	alarm(120);
	abi(argv[1]);
	both(argv[1], false);
	both(argv[1], true);
	extint(argv[1]);
	messages(argv[1]);
	quiet(argv[1], false);
	quiet(argv[1], true);
	registers(argv[1]);
	for (int x2apic = 0; strstr(argv[1], "rust") && x2apic < 2; x2apic++)
		elsewhere(argv[1], x2apic);
	printf("lapic: %s: %d checks, %d problems\n", argv[1], checks, problems);
	return problems ? 1 : 0;
}
