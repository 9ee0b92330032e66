// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Four vCPUs whose threads move between CPUs before every run, under a storm of signals: first of one VM, then of four.
// The guest computes in integers, memory, SSE, x87, DR0, KERNEL_GS_BASE and STAR; this program computes the same.
#include "machine.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WORKERS = 4, ROUNDS = 50, WORDS = 64, PORT_RESULT = 0x80, PORT_WRONG = 0xf4 };
enum { CODE = 0x1000, DATA = 0x20000, DATA_STRIDE = 0x1000, MEMORY = 0x40000 };

#define FACTOR 6364136223846793005ull
#define STEP   1442695040888963407ull

// %rdi: 64 words of memory, %r9: seed. Every turn ends by OUT of 32 bits. IF is set: a guest that is between two exits
// must not keep the host's interrupts waiting (the lab's machine needs that).
extern const uint8_t guest_begin[], guest_end[];
__asm__(".pushsection .rodata\n"
	"guest_begin:\n"
	"	movq %cr4, %rax\n"
	"	orl $0x600, %eax\n"
	"	movq %rax, %cr4\n"
	"	fninit\n"
	"	fldz\n"
	"	movabsq $6364136223846793005, %r12\n"
	"	movabsq $1442695040888963407, %r13\n"
	"	.irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
	"	leaq \\n(%r9), %rax\n"
	"	movq %rax, %xmm\\n\n"
	"	.endr\n"
	"	xorl %r11d, %r11d\n"		// checksum
	"	xorl %r14d, %r14d\n"		// turns
	"	movq %r9, %rbx\n"
	"	call write_state\n"
	"	sti\n"
	"turn:	movl $50, %esi\n"
	"1:	imulq %r12, %r9\n"
	"	addq %r13, %r9\n"
	"	movl %r9d, %ecx\n"
	"	andl $63, %ecx\n"
	"	xorq %r9, (%rdi,%rcx,8)\n"
	"	rolq $1, %r11\n"
	"	addq (%rdi,%rcx,8), %r11\n"
	"	movq %r9, %xmm0\n"
	"	.irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
	"	paddq %xmm0, %xmm\\n\n"
	"	.endr\n"
	"	decl %esi\n"
	"	jnz 1b\n"
	// x87 counts the turns.
	"	fld1\n"
	"	faddp\n"
	"	incl %r14d\n"
	"	fistl 0x200(%rdi)\n"
	"	movl $1, %ebp\n"
	"	cmpl %r14d, 0x200(%rdi)\n"
	"	jne wrong\n"
	// The MSRs and DR0 hold what the last turn put there.
	"	movl $2, %ebp\n"
	"	movl $0xc0000102, %ecx\n"
	"	call check_msr\n"
	"	movl $3, %ebp\n"
	"	movl $0xc0000081, %ecx\n"
	"	call check_msr\n"
	"	movl $4, %ebp\n"
	"	movq %dr0, %rax\n"
	"	cmpq %rbx, %rax\n"
	"	jne wrong\n"
	"	movq %r9, %rbx\n"
	"	call write_state\n"
	// The result: checksum and all of SSE, folded.
	"	movq %r11, %rax\n"
	"	.irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
	"	movq %xmm\\n, %rdx\n"
	"	addq %rdx, %rax\n"
	"	.endr\n"
	"	outl %eax, $0x80\n"
	"	jmp turn\n"
	// %rbx, cut to 46 bits so that it is canonical, to the MSRs and DR0.
	"write_state:\n"
	"	shrq $18, %rbx\n"
	"	movq %rbx, %rax\n"
	"	movq %rbx, %rdx\n"
	"	shrq $32, %rdx\n"
	"	movl $0xc0000102, %ecx\n"
	"	wrmsr\n"
	"	movl $0xc0000081, %ecx\n"
	"	wrmsr\n"
	"	movq %rbx, %dr0\n"
	"	ret\n"
	"check_msr:\n"
	"	rdmsr\n"
	"	shlq $32, %rdx\n"
	"	orq %rdx, %rax\n"
	"	cmpq %rbx, %rax\n"
	"	jne wrong\n"
	"	ret\n"
	"wrong:	movl %ebp, %eax\n"
	"	outl %eax, $0xf4\n"
	"	hlt\n"
	"guest_end:\n"
	".popsection\n");

// The same computation here.
struct model { uint64_t x, sum, words[WORDS], sse[16]; };

static uint32_t model_turn(struct model *m)
{
	uint64_t folded;

	for (int round = 0; round < ROUNDS; round++) {
		m->x = m->x * FACTOR + STEP;
		m->words[m->x % WORDS] ^= m->x;
		m->sum = (m->sum << 1 | m->sum >> 63) + m->words[m->x % WORDS];
		for (int i = 1; i < 16; i++)
			m->sse[i] += m->x;
	}
	folded = m->sum;
	for (int i = 1; i < 16; i++)
		folded += m->sse[i];
	return folded;
}

struct worker {
	struct machine m;
	struct model model;
	pthread_t thread;
	int index, runs;
	unsigned int interrupted, moves;
	const char *wrong;
	char text[120];
	atomic_bool done;
};

static int cpus;

static void on_signal(int signal) { (void)signal; }

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* EINVAL: that CPU is offline now (hotplug.sh); this thread stays where it is. */
	if (sched_setaffinity(0, sizeof(set), &set) && errno != EINVAL)
		die_errno("sched_setaffinity to CPU %d", cpu);
}

static bool handle_exit(struct worker *w, int turn)
{
	struct kvm_run *run = w->m.run;
	uint32_t value;

	if (run->exit_reason != KVM_EXIT_IO) {
		snprintf(w->text, sizeof(w->text), "exit reason %u at turn %d", run->exit_reason, turn);
		return false;
	}
	memcpy(&value, (char *)run + run->io.data_offset, sizeof(value));
	if (run->io.port == PORT_WRONG) {
		static const char *const what[] = { "?", "x87", "KERNEL_GS_BASE", "STAR", "DR0" };

		snprintf(w->text, sizeof(w->text), "the guest finds its %s changed at turn %d", what[value < 5 ? value : 0], turn);
		return false;
	}

	uint32_t expected = model_turn(&w->model);

	if (value != expected) {
		snprintf(w->text, sizeof(w->text), "checksum %#x at turn %d, expected %#x", value, turn, expected);
		return false;
	}
	return true;
}

static void *work(void *argument)
{
	struct worker *w = argument;
	unsigned int seed = w->index;

	for (int turn = 0; turn < w->runs && !w->wrong;) {
		int before = sched_getcpu();

		pin(rand_r(&seed) % cpus);
		w->moves += sched_getcpu() != before;
		if (ioctl(w->m.vcpu_fd, KVM_RUN, 0) < 0) {
			if (errno != EINTR) {
				snprintf(w->text, sizeof(w->text), "KVM_RUN: %s", strerror(errno));
				w->wrong = w->text;
			}
			w->interrupted++;
			w->m.run->immediate_exit = 0;
			continue;
		}
		if (!handle_exit(w, turn++))
			w->wrong = w->text;
	}
	w->done = true;
	return NULL;
}

// Signals for all who work, at odd times, some with immediate_exit.
static void storm(struct worker *workers)
{
	unsigned int seed = 99;

	for (bool busy = true; busy;) {
		busy = false;
		for (int i = 0; i < WORKERS; i++) {
			if (workers[i].done)
				continue;
			busy = true;
			if (rand_r(&seed) % 4 == 0)
				workers[i].m.run->immediate_exit = 1;
			pthread_kill(workers[i].thread, SIGUSR1);
		}
		usleep(rand_r(&seed) % 2000);
	}
}

static void set_up(struct worker *w, int index, int runs, uint64_t *page_tables)
{
	struct kvm_regs regs = { .rip = CODE, .rsp = DATA + index * DATA_STRIDE + 0x800, .rflags = 2,
				 .rdi = DATA + index * DATA_STRIDE, .r9 = index + 1 };

	w->index = index;
	w->runs = runs;
	w->model.x = regs.r9;
	for (int i = 1; i < 16; i++)
		w->model.sse[i] = regs.r9 + i;
	machine_set_cpuid(&w->m);
	machine_set_mode(&w->m, MODE_LONG64, page_tables);
	must_ioctl(&w->m, w->m.vcpu_fd, KVM_SET_REGS, &regs);
}

static void *add_guest(struct machine *m)
{
	uint8_t *memory = machine_add_memory(m, 0, 0, MEMORY, 0, NULL);

	memcpy(memory + CODE, guest_begin, guest_end - guest_begin);
	return memory + 0x9000;
}

static bool hop(const char *title, const char *device, bool one_vm, int runs)
{
	static struct worker workers[WORKERS];
	void *page_tables = NULL;
	bool good = true;

	memset(workers, 0, sizeof(workers));
	machine_open(&workers[0].m, device);
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		if (i && one_vm)
			w->m = workers[0].m;
		else if (i)
			machine_open_vm(&w->m, &workers[0].m);
		if (!i || !one_vm)
			page_tables = add_guest(&w->m);
		machine_add_vcpu(&w->m, one_vm ? i : 0);
		set_up(w, i, runs, page_tables);
	}
	for (int i = 0; i < WORKERS; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("cannot start a thread");
	storm(workers);
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		pthread_join(w->thread, NULL);
		if (!w->wrong && !w->moves)
			w->wrong = "its thread never changed the CPU";
		if (!w->wrong && !w->interrupted)
			w->wrong = "no signal ever interrupted it";
		printf("%s\t%s, vCPU thread %d: %d runs, %u moves, %u interrupted%s%s\n", w->wrong ? "FAIL" : "ok", title, i,
		       w->runs, w->moves, w->interrupted, w->wrong ? ": " : "", w->wrong ? w->wrong : "");
		good &= !w->wrong;
	}
	for (int i = 0; i < WORKERS; i++) {
		if (one_vm && i)
			workers[i].m.vm_fd = workers[i].m.system_fd = -1; // the first one's
		machine_close(&workers[i].m);
	}
	return good;
}

int main(int argc, char **argv)
{
	int runs = argc > 2 ? atoi(argv[2]) : 2000;

	if (argc < 2 || argc > 3 || argv[1][0] == '-' || runs <= 0) {
		fprintf(stderr, "usage: hop DEVICE [RUNS]\n"
				"  Moves four vCPU threads between CPUs for RUNS runs together (2000 unless told), of one VM and of four VMs.\n");
		return 2;
	}
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus < 2)
		die("this machine has one CPU, hop needs at least two");
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_signal }, NULL);

	bool good = hop("one VM", argv[1], true, (runs + WORKERS - 1) / WORKERS);

	good &= hop("four VMs", argv[1], false, (runs + WORKERS - 1) / WORKERS);
	return good ? 0 : 1;
}
