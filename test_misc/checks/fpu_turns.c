// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The extended registers are the guest's in the guest and this program's outside: three processes, each with a VM, take turns on the
// CPU and hold other patterns in SSE, AVX, x87 and MXCSR, while a timer's signals interrupt KVM_RUN. fpu_turns DEVICE RUNS
#include "machine.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 3, CODE = 0x1000, STACK = 0x8000, MEMORY = 0x40000, PORT_FINE = 0x81, PORT_WRONG = 0xf4 };
enum { MXCSR_GUEST = 0x3f80, MXCSR_HOST = 0x5f80, FCW_HOST = 0x77f };

// %rbx: the pattern that XMM7 and XMM15 hold, %rcx: how often to look at them before the next exit. x87 has counted the exits.
extern const uint8_t guest_begin[], guest_end[];
__asm__(".pushsection .rodata\n"
	"guest_begin:\n"
	"	movq %cr4, %rax\n"
	"	orl $0x600, %eax\n"
	"	movq %rax, %cr4\n"
	"	fninit\n"
	"	fldz\n"
	"	xorl %esi, %esi\n"
	"	pushq $0x3f80\n"
	"	ldmxcsr (%rsp)\n"
	"	movq %rbx, %xmm7\n"
	"	movq %rbx, %xmm15\n"
	"	sti\n"
	"turn:	movl $300, %ecx\n"
	"look:	movq %xmm7, %rax\n"
	"	cmpq %rbx, %rax\n"
	"	jne wrong\n"
	"	movq %xmm15, %rax\n"
	"	cmpq %rbx, %rax\n"
	"	jne wrong\n"
	"	stmxcsr (%rsp)\n"
	"	cmpl $0x3f80, (%rsp)\n"
	"	jne wrong\n"
	"	decl %ecx\n"
	"	jnz look\n"
	"	fld1\n"
	"	faddp\n"
	"	incl %esi\n"
	"	fld %st(0)\n"
	"	fistpll -8(%rsp)\n"
	"	cmpl %esi, -8(%rsp)\n"
	"	jne wrong\n"
	// An exit that the kernel handles by itself, then one to user space.
	"	pushq %rbx\n"
	"	xorl %eax, %eax\n"
	"	cpuid\n"
	"	popq %rbx\n"
	"	outb %al, $0x81\n"
	"	jmp turn\n"
	"wrong:	outb %al, $0xf4\n"
	"	hlt\n"
	"guest_end:\n"
	".popsection");

// What user space has in its registers around KVM_RUN.
struct registers {
	uint64_t xmm7, xmm15;
	unsigned __int128 ymm7_high;
	uint32_t mxcsr;
	uint16_t fcw;
};

// The system call with `r` in the registers; gives what they are afterwards. No C in between that could use them.
static long run_with(int fd, struct registers *r, bool avx)
{
	struct registers now = *r;
	uint32_t mxcsr = 0x1f80;
	uint16_t fcw = 0x37f;
	long result;

	__asm__ volatile("ldmxcsr %[m]\n"
			 "	fldcw %[f]\n"
			 "	movq %[x7], %%xmm7\n"
			 "	movq %[x15], %%xmm15\n"
			 "	testb %[avx], %[avx]\n"
			 "	jz 1f\n"
			 "	vinsertf128 $1, %[y7], %%ymm7, %%ymm7\n"
			 "1:	movl %[call], %%eax\n"
			 "	syscall\n"
			 "	movq %%rax, %[result]\n"
			 "	stmxcsr %[m]\n"
			 "	fnstcw %[f]\n"
			 "	movq %%xmm7, %[x7]\n"
			 "	movq %%xmm15, %[x15]\n"
			 "	testb %[avx], %[avx]\n"
			 "	jz 2f\n"
			 "	vextractf128 $1, %%ymm7, %[y7]\n"
			 "	vzeroupper\n"
			 "2:	ldmxcsr %[usual_m]\n"
			 "	fldcw %[usual_f]\n"
			 : [m] "+m"(now.mxcsr), [f] "+m"(now.fcw), [x7] "+m"(now.xmm7), [x15] "+m"(now.xmm15),
			   [y7] "+m"(now.ymm7_high), [result] "=m"(result)
			 : [avx] "b"(avx), [usual_m] "m"(mxcsr), [usual_f] "m"(fcw), [call] "i"(SYS_ioctl), "D"((long)fd),
			   "S"((long)KVM_RUN), "d"(0l)
			 : "rax", "rcx", "r11", "xmm7", "xmm15", "memory", "cc");
	if (now.mxcsr != r->mxcsr || now.fcw != r->fcw || now.xmm7 != r->xmm7 || now.xmm15 != r->xmm15)
		die("registers after KVM_RUN: XMM7 %#lx, XMM15 %#lx, MXCSR %#x, FCW %#x; before: %#lx, %#lx, %#x, %#x", now.xmm7,
		    now.xmm15, now.mxcsr, now.fcw, r->xmm7, r->xmm15, r->mxcsr, r->fcw);
	if (avx && now.ymm7_high != r->ymm7_high)
		die("the upper half of YMM7 after KVM_RUN: %#lx, before: %#lx", (uint64_t)now.ymm7_high, (uint64_t)r->ymm7_high);
	return result;
}

static void tick(int signal)
{
	(void)signal;
	// What a signal handler leaves in the registers is nobody's business after it.
	__asm__ volatile("pcmpeqd %%xmm7, %%xmm7\n	pcmpeqd %%xmm15, %%xmm15" ::: "xmm7", "xmm15");
}

// The guest's pattern as KVM_GET_FPU has it; then another one takes its place, in the guest's RBX too.
static uint64_t exchange_pattern(struct machine *m, uint64_t pattern)
{
	struct kvm_regs regs;
	struct kvm_fpu fpu;
	uint64_t found[2], next = pattern * 6364136223846793005ull + 1;

	must_ioctl(m, m->vcpu_fd, KVM_GET_FPU, &fpu);
	memcpy(&found[0], fpu.xmm[7], sizeof(found[0]));
	memcpy(&found[1], fpu.xmm[15], sizeof(found[1]));
	if (found[0] != pattern || found[1] != pattern || fpu.mxcsr != MXCSR_GUEST)
		die("KVM_GET_FPU: XMM7 %#lx, XMM15 %#lx, MXCSR %#x; the guest has %#lx, %#x", found[0], found[1], fpu.mxcsr,
		    pattern, MXCSR_GUEST);
	memcpy(fpu.xmm[7], &next, sizeof(next));
	memcpy(fpu.xmm[15], &next, sizeof(next));
	must_ioctl(m, m->vcpu_fd, KVM_SET_FPU, &fpu);
	must_ioctl(m, m->vcpu_fd, KVM_GET_REGS, &regs);
	regs.rbx = next;
	must_ioctl(m, m->vcpu_fd, KVM_SET_REGS, &regs);
	return next;
}

static void work(const char *device, unsigned int number, unsigned int runs)
{
	struct registers host = { .xmm7 = 0x1111111111111111ull * (number + 1), .xmm15 = ~0x1010101010101010ull * (number + 1),
				  .ymm7_high = (unsigned __int128)~0ull << 64 | (number + 7), .mxcsr = MXCSR_HOST, .fcw = FCW_HOST };
	uint64_t pattern = 0xabcdef0000000000ull + number;
	struct itimerval timer = { { 0, 3000 + 1000 * number }, { 0, 3000 } };
	bool avx = __builtin_cpu_supports("avx");
	unsigned int interrupted = 0;
	struct kvm_regs regs;
	struct machine m;
	uint8_t *memory;

	machine_open(&m, device);
	machine_add_vcpu(&m, 0);
	memory = machine_add_memory(&m, 0, 0, MEMORY, 0, NULL);
	memcpy(memory + CODE, guest_begin, (size_t)(guest_end - guest_begin));
	machine_set_cpuid(&m);
	machine_set_mode(&m, MODE_LONG64, (uint64_t *)(memory + 0x9000));
	machine_set_entry(&m, CODE, STACK);
	must_ioctl(&m, m.vcpu_fd, KVM_GET_REGS, &regs);
	regs.rbx = pattern;
	must_ioctl(&m, m.vcpu_fd, KVM_SET_REGS, &regs);
	signal(SIGALRM, tick);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (unsigned int i = 0; i < runs;) {
		long r = run_with(m.vcpu_fd, &host, avx);

		if (r == -EINTR) {
			interrupted++;
			continue;
		}
		if (r)
			die("KVM_RUN on %s: %s", device, strerror((int)-r));
		if (m.run->exit_reason != KVM_EXIT_IO || m.run->io.port != PORT_FINE)
			die("run %u: exit reason %u, port %#x: the guest found registers that are not its own", i,
			    m.run->exit_reason, m.run->io.port);
		if (++i % 50 == 0)
			pattern = exchange_pattern(&m, pattern);
		host.xmm7 += 3;
		host.ymm7_high++;
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	machine_close(&m);
	if (!interrupted)
		die("no signal interrupted KVM_RUN: nothing was tried");
	printf("fpu_turns: process %u, %u runs, %u interrupted%s\n", number, runs, interrupted, avx ? ", with AVX" : "");
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc != 3)
		die("usage: fpu_turns DEVICE RUNS");
	fflush(stdout);
	for (unsigned int i = 0; i < PROCESSES; i++) {
		switch (fork()) {
		case -1:
			die_errno("fork");
		case 0:
			work(argv[1], i, (unsigned int)strtoul(argv[2], NULL, 10));
			return 0;
		}
	}
	for (unsigned int i = 0; i < PROCESSES; i++) {
		int status;

		if (wait(&status) < 0 || status)
			failed = 1;
	}
	return failed;
}
