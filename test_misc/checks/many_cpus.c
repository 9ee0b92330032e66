// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A guest of 64 processors with x2APICs in the kernel (KVM_CAP_SPLIT_IRQCHIP): the first starts all others by one INIT and one SIPI, then reaches them
// by shorthand, one by one, by their clusters. The same on stock KVM and on LiKeX: many_cpus DEVICE [COUNT]
#include "expect.h"
#include "machine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CODE = 0x1000, STUBS = 0x10000, IDT = 0x3000, IDTR = 0x3800, GDT = 0x3900, MEMORY = 0x40000, TRAMPOLINE = 0x6000 };
// Of guest memory: how many processors there are, which have started, and how often each vector came to any of them.
enum { COUNT = 0x4000, STARTED = 0x4010, VECTORS = 0x5000, STACK = 0x8000, MOST = 64 };

asm(".pushsection .rodata\n"
    ".code32\n"
    ".macro send icr, to=0\n mov $\\icr, %eax\n mov $\\to, %edx\n call send_ipi\n .endm\n"
    // Waits until a vector came so often.
    ".macro await vector, count\n 77: pause\n cmp %\\count, 0x5000 + 4 * \\vector\n jne 77b\n .endm\n"
    "guest_begin:\n"
    " lidt 0x3800\n"
    " mov $0x1b, %ecx\n rdmsr\n or $0x400, %eax\n wrmsr\n"
    " mov $0x80f, %ecx\n mov $0x1ff, %eax\n xor %edx, %edx\n wrmsr\n"
    " mov 0x4000, %esi\n mov %esi, %edi\n dec %edi\n sti\n"
    // INIT and SIPI to all but itself; each start counts as vector 0.
    " send 0xc4500\n send 0xc4606\n await 0, edi\n"
    " send 0xc4070\n await 0x70, edi\n"
    // Each on its own, which answers.
    " mov $1, %ebx\n"
    "1: mov $0x4071, %eax\n mov %ebx, %edx\n call send_ipi\n"
    "2: pause\n cmp %ebx, 0x5000 + 4 * 0x72\n jne 2b\n"
    " inc %ebx\n cmp %esi, %ebx\n jb 1b\n"
    // Clusters of 16, by logical IDs; the first has itself.
    " xor %ebx, %ebx\n"
    "1: mov $0x4873, %eax\n mov %ebx, %edx\n shl $12, %edx\n or $0xffff, %edx\n call send_ipi\n"
    " add $16, %ebx\n cmp %esi, %ebx\n jb 1b\n"
    " await 0x73, esi\n"
    " send 0x84074\n await 0x74, esi\n"
    " out %al, $0xf4\n"

    "send_ipi:\n mov $0x830, %ecx\n wrmsr\n ret\n"
    // Every vector's stub pushes its number and comes here.
    "handler:\n"
    " pushal\n"
    " mov 32(%esp), %eax\n"
    " lock incl 0x5000(, %eax, 4)\n"
    " cmp $0x71, %eax\n jne 1f\n send 0x4072\n"
    "1: mov $0x80b, %ecx\n xor %eax, %eax\n xor %edx, %edx\n wrmsr\n"
    " popal\n add $4, %esp\n iret\n"

    // Where SIPI starts all of them: real mode at 0x6000.
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
    " mov $0x1b, %ecx\n rdmsr\n or $0x400, %eax\n wrmsr\n"
    " mov $0x80f, %ecx\n mov $0x1ff, %eax\n xor %edx, %edx\n wrmsr\n"
    " lidt 0x3800\n"
    // Its ID says which stack is its own.
    " mov $0x802, %ecx\n rdmsr\n mov %eax, %ebx\n"
    " shl $10, %eax\n lea 0x20400(%eax), %esp\n"
    " lock btsl %ebx, 0x4010\n"
    " lock incl 0x5000\n"
    "1: sti\n hlt\n jmp 1b\n"
    "trampoline_end:\n"
    "guest_end:\n"
    ".code64\n"
    ".popsection\n");
extern const uint8_t guest_begin[], handler[], trampoline_begin[], trampoline_end[], guest_end[];

struct processor {
	int fd;
	struct kvm_run *run;
	pthread_t thread;
};

static struct machine machine;
static struct processor others[MOST];
static uint8_t *memory;
static volatile bool over;

static void make(const char *device, uint32_t count)
{
	machine_open(&machine, device);
	expect("split", machine_enable(&machine, KVM_CAP_SPLIT_IRQCHIP, 24), 0);
	machine_add_vcpu(&machine, 0);
	memory = machine_add_memory(&machine, 0, 0, MEMORY, 0, NULL);
	machine_set_apic_cpuid(&machine, machine.vcpu_fd, 0);
	for (uint32_t id = 1; id < count; id++) {
		others[id].fd = checked_ioctl(device, machine.vm_fd, KVM_CREATE_VCPU, "KVM_CREATE_VCPU", id);
		others[id].run = mmap(NULL, machine.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, others[id].fd, 0);
		if (others[id].run == MAP_FAILED)
			die_errno("mmap");
		machine_set_apic_cpuid(&machine, others[id].fd, id);
	}
	machine_set_mode(&machine, MODE_PROTECTED32, NULL);
	machine_add_gdt(&machine, memory, GDT);
	memcpy(memory + CODE, guest_begin, guest_end - guest_begin);
	memcpy(memory + TRAMPOLINE, trampoline_begin, trampoline_end - trampoline_begin);
	machine_add_gates(memory, IDT, STUBS, CODE + (handler - guest_begin));
	memcpy(memory + IDTR, &(uint16_t){ 8 * 256 - 1 }, 2);
	memcpy(memory + IDTR + 2, &(uint32_t){ IDT }, 4);
	memcpy(memory + COUNT, &count, 4);
	machine_set_entry(&machine, CODE, STACK);
}

static void wake(int signal)
{
	(void)signal;
}

static void *run_other(void *argument)
{
	struct processor *one = argument;

	while (!over)
		// Stock KVM says EAGAIN when INIT has come.
		if (!ioctl(one->fd, KVM_RUN, 0) || (errno != EAGAIN && errno != EINTR)) {
			printf("processor %td: exit %u, %s\n", one - others, one->run->exit_reason, strerror(errno));
			__atomic_add_fetch(&problems, 1, __ATOMIC_RELAXED);
			break;
		}
	return NULL;
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

static void end(uint32_t count)
{
	over = true;
	for (uint32_t id = 1; id < count; id++) {
		others[id].run->immediate_exit = 1;
		pthread_kill(others[id].thread, SIGUSR1);
	}
	for (uint32_t id = 1; id < count; id++) {
		pthread_join(others[id].thread, NULL);
		munmap(others[id].run, machine.run_size);
		close(others[id].fd);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		uint32_t vector, missing;
	} came[] = { { 0, 1 }, { 0x70, 1 }, { 0x71, 1 }, { 0x72, 1 }, { 0x73, 0 }, { 0x74, 0 } };
	struct sigaction action = { .sa_handler = wake };
	uint32_t count = argc == 3 ? (uint32_t)atoi(argv[2]) : MOST;
	uint64_t started;

	if (argc < 2 || argc > 3 || count < 2 || count > MOST)
		die("usage: many_cpus DEVICE [COUNT], from 2 to %d", MOST);
	sigaction(SIGUSR1, &action, NULL);
	alarm(120);
	make(argv[1], count);
	for (uint32_t id = 1; id < count; id++)
		if (pthread_create(&others[id].thread, NULL, run_other, &others[id]))
			die("pthread_create");
	run_first();
	memcpy(&started, memory + STARTED, 8);
	expect("IDs that started", (long)started, (long)((count == 64 ? ~0ull : (1ull << count) - 1) & ~1ull));
	for (size_t i = 0; i < sizeof(came) / sizeof(came[0]); i++) {
		char name[40];

		snprintf(name, sizeof(name), "how often vector 0x%x came", came[i].vector);
		expect(name, ((volatile uint32_t *)(memory + VECTORS))[came[i].vector], count - came[i].missing);
	}
	end(count);
	machine_close(&machine);
	printf("many_cpus: %s: %u processors, %d checks, %d problems\n", argv[1], count, checks, problems);
	return problems ? 1 : 0;
}
