// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The guest's side: a page at random, its version not older than announced, and the vCPU's last store to that version still in it.
#include "stress.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PORT_LAP = 0x80, PORT_WRONG = 0x81 };

// %rbx: announcements, %rsi: tested memory, %rdi: what this vCPU remembers, %r8: its counter's place in a page, %r9: random state,
// %r10: stores, %r11: accesses to tested memory, %r14: pages visited. Every second visit stores. An exit each 256 visits.
extern const uint8_t stress_begin[], stress_end[];
__asm__(".pushsection .rodata\n"
	"stress_begin:\n"
	"	sti\n"
	"	movabsq $6364136223846793005, %r12\n"
	"	movabsq $1442695040888963407, %r13\n"
	"visit:	imulq %r12, %r9\n"
	"	addq %r13, %r9\n"
	"	movq %r9, %rcx\n"
	"	shrq $40, %rcx\n"
	"	andl $2047, %ecx\n"
	"	movl %ecx, %eax\n"
	"	shll $12, %eax\n"
	"	addq %rsi, %rax\n"
	"	movq (%rbx,%rcx,8), %rdx\n"
	"	movq (%rax), %r15\n"
	"	incq %r11\n"
	"	testq %r15, %r15\n"
	"	jz zero\n"
	"	movq %r15, %rbp\n"
	"	shrq $32, %rbp\n"
	"	decl %ebp\n"
	"	cmpl %ecx, %ebp\n"
	"	movl $2, %ebp\n"
	"	jne wrong\n"
	"	cmpl %edx, %r15d\n"
	"	movl $3, %ebp\n"
	"	jb wrong\n"
	// One generation ahead of its announcement it may be.
	"	movl (%rbx,%rcx,8), %edx\n"
	"	incl %edx\n"
	"	cmpl %edx, %r15d\n"
	"	movl $4, %ebp\n"
	"	ja wrong\n"
	// The last store, if it was to this version. The version is read again: another page may have come in between.
	"	movq %rcx, %rbp\n"
	"	shlq $4, %rbp\n"
	"	addq %rdi, %rbp\n"
	"	cmpq (%rbp), %r15\n"
	"	jne 1f\n"
	"	movq (%rax,%r8), %rdx\n"
	"	addq $2, %r11\n"
	"	cmpq (%rax), %r15\n"
	"	jne 1f\n"
	"	cmpq 8(%rbp), %rdx\n"
	"	jne lost\n"
	"1:	btq $39, %r9\n"
	"	jc next\n"
	"	incq %r10\n"
	"	movq %r10, (%rax,%r8)\n"
	"	addq $2, %r11\n"
	"	cmpq (%rax), %r15\n"
	"	jne 2f\n"
	"	movq %r10, 8(%rbp)\n"
	"	movq %r15, (%rbp)\n"
	"	jmp next\n"
	"2:	movq $0, (%rbp)\n"
	"next:	incl %r14d\n"
	"	testb %r14b, %r14b\n"
	"	jnz visit\n"
	"	movl %r11d, %eax\n"
	"	outl %eax, $0x80\n"
	"	jmp visit\n"
	// Zeros: announced, or announced meanwhile.
	"zero:	movq (%rbx,%rcx,8), %rbp\n"
	"	testq %rbp, %rbp\n"
	"	js next\n"
	"	cmpq %rdx, %rbp\n"
	"	jne next\n"
	"	movl $1, %ebp\n"
	"	jmp wrong\n"
	"lost:	movl $5, %ebp\n"
	"wrong:	movl %ebp, %eax\n"
	"	outl %eax, $0x81\n"
	"	hlt\n"
	"stress_end:\n"
	".popsection\n");

static const char *const wrongs[] = {
	"?", "zeros that nobody announced", "another page's contents", "a stale page", "a generation that never was", "its last store lost",
};

struct vcpu {
	struct machine m;
	struct memory *memory;
	pthread_t thread;
	int index;
	uint32_t counted;
};

atomic_bool failed, stop;
atomic_ulong accesses, faults;
static struct vcpu vcpus[VCPUS];

static struct remembered *remembered(const struct memory *m, int vcpu)
{
	return (struct remembered *)(m->low + REMEMBERED) + vcpu * PAGES;
}

static void tell_wrong(struct vcpu *v, uint32_t code)
{
	struct kvm_regs regs;

	must_ioctl(&v->m, v->m.vcpu_fd, KVM_GET_REGS, &regs);
	printf("FAIL\tvCPU %d finds %s: page %llu (area %llu), version %#llx, rdx %#llx, announced %#llx, remembered %#llx %#llx\n", v->index,
	       wrongs[code < 6 ? code : 0], regs.rcx, regs.rcx / AREA_PAGES, regs.r15, regs.rdx,
	       (unsigned long long)v->memory->announced[regs.rcx % PAGES],
	       (unsigned long long)remembered(v->memory, v->index)[regs.rcx % PAGES].version,
	       (unsigned long long)remembered(v->memory, v->index)[regs.rcx % PAGES].counter);
	failed = stop = true;
}

static void *run(void *argument)
{
	struct vcpu *v = argument;
	struct kvm_run *run = v->m.run;
	uint32_t value;

	// The host's threads, which mostly sleep, come in whenever they want to.
	setpriority(PRIO_PROCESS, gettid(), 5);
	while (!stop) {
		if (ioctl(v->m.vcpu_fd, KVM_RUN, 0)) {
			if (errno == EFAULT) {
				faults++;
				sched_yield();
			} else if (errno != EINTR) {
				printf("FAIL\tKVM_RUN of vCPU %d: %s\n", v->index, strerror(errno));
				failed = stop = true;
			}
			continue;
		}
		memcpy(&value, (char *)run + run->io.data_offset, sizeof(value));
		if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_LAP) {
			accesses += value - v->counted;
			v->counted = value;
		} else if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_WRONG) {
			tell_wrong(v, value);
		} else {
			printf("FAIL\tvCPU %d ends with exit reason %u, at %#llx if that is MMIO\n", v->index, run->exit_reason,
			       run->mmio.phys_addr);
			failed = stop = true;
		}
	}
	return NULL;
}

void guest_place(struct memory *m)
{
	memcpy(m->low + CODE, stress_begin, stress_end - stress_begin);
	m->announced = (volatile uint64_t *)(m->low + ANNOUNCED);
}

void guest_start(const struct machine *machines, struct memory *m)
{
	for (int i = 0; i < VCPUS; i++) {
		struct vcpu *v = &vcpus[i];
		struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rbx = ANNOUNCED, .rsi = TESTED_BASE, .r9 = i + 1, .r8 = 8 + 8 * i,
					 .rdi = REMEMBERED + i * PAGES * sizeof(struct remembered) };

		v->m = machines[i];
		v->memory = m;
		v->index = i;
		machine_set_cpuid(&v->m);
		machine_set_mode(&v->m, MODE_LONG64, (uint64_t *)(m->low + PAGE_TABLES));
		must_ioctl(&v->m, v->m.vcpu_fd, KVM_SET_REGS, &regs);
	}
	for (int i = 0; i < VCPUS; i++)
		if (pthread_create(&vcpus[i].thread, NULL, run, &vcpus[i]))
			die("cannot start a thread for vCPU %d", i);
}

void guest_join(void)
{
	for (int i = 0; i < VCPUS; i++)
		pthread_join(vcpus[i].thread, NULL);
}

void guest_check(const struct memory *m)
{
	for (uint32_t page = 0; page < PAGES; page++) {
		const uint64_t *words = (const uint64_t *)(m->area[page / AREA_PAGES] + page % AREA_PAGES * PAGE);

		if (words[0] != version_of(page, m->announced[page])) {
			printf("FAIL\tpage %u ends with version %#llx, announced %#llx\n", page, (unsigned long long)words[0],
			       (unsigned long long)m->announced[page]);
			failed = true;
		}
		for (int i = 0; i < VCPUS; i++) {
			const struct remembered *r = &remembered(m, i)[page];

			if (r->version != words[0] || r->counter == words[1 + i])
				continue;
			printf("FAIL\tpage %u has %llu where vCPU %d stored %llu\n", page, (unsigned long long)words[1 + i], i,
			       (unsigned long long)r->counter);
			failed = true;
		}
	}
}
