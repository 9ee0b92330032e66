// SPDX-License-Identifier: MIT OR GPL-2.0-only
#define _GNU_SOURCE
#include "native_cpu.h"

#include <string.h>

/* Sanitizers have signal handlers and address spaces of their own. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

#if defined(__x86_64__) && !defined(SANITIZED)
#include <cpuid.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define RIP 16
#define FLAGS 17
#define HLT 0xF4

static uint8_t *data_memory, *code_memory;
/* The code memory once more, writable. */
static uint8_t *code_alias;
static uint64_t code_bytes;
static volatile sig_atomic_t running;
static int vector;

/* What native_enter loads and stores, and where it goes; reached RIP-relative, so that no register is needed. */
__attribute__((visibility("hidden"))) uint64_t native_state[NATIVE_WORDS];
__attribute__((visibility("hidden"))) uint64_t native_target, native_host_stack;
__attribute__((visibility("hidden"))) void native_enter(void);
extern __attribute__((visibility("hidden"))) char native_leave[];

/*
 * Loads everything from native_state and jumps. The code ends with a HLT, which user mode may not execute: as any fault it
 * comes back through on_signal to native_leave, with general registers and flags stored from the signal's frame.
 */
__asm__(
	".text\n"
	".globl native_enter\n"
	"native_enter:\n"
	"	pushq %rbx\n	pushq %rbp\n	pushq %r12\n	pushq %r13\n	pushq %r14\n	pushq %r15\n"
	"	subq $24, %rsp\n"
	"	stmxcsr 16(%rsp)\n"
	"	movq %rsp, native_host_stack(%rip)\n"
	"	leaq native_state(%rip), %rax\n"
	"	ldmxcsr 144(%rax)\n"
	"	movdqu 160(%rax), %xmm0\n	movdqu 176(%rax), %xmm1\n	movdqu 192(%rax), %xmm2\n"
	"	movdqu 208(%rax), %xmm3\n	movdqu 224(%rax), %xmm4\n	movdqu 240(%rax), %xmm5\n"
	"	movdqu 256(%rax), %xmm6\n	movdqu 272(%rax), %xmm7\n	movdqu 288(%rax), %xmm8\n"
	"	movdqu 304(%rax), %xmm9\n	movdqu 320(%rax), %xmm10\n	movdqu 336(%rax), %xmm11\n"
	"	movdqu 352(%rax), %xmm12\n	movdqu 368(%rax), %xmm13\n	movdqu 384(%rax), %xmm14\n"
	"	movdqu 400(%rax), %xmm15\n"
	"	pushq 136(%rax)\n	popfq\n"
	"	movq 8(%rax), %rcx\n	movq 16(%rax), %rdx\n	movq 24(%rax), %rbx\n	movq 32(%rax), %rsp\n"
	"	movq 40(%rax), %rbp\n	movq 48(%rax), %rsi\n	movq 56(%rax), %rdi\n	movq 64(%rax), %r8\n"
	"	movq 72(%rax), %r9\n	movq 80(%rax), %r10\n	movq 88(%rax), %r11\n	movq 96(%rax), %r12\n"
	"	movq 104(%rax), %r13\n	movq 112(%rax), %r14\n	movq 120(%rax), %r15\n	movq (%rax), %rax\n"
	"	jmpq *native_target(%rip)\n"
	".globl native_leave\n"
	"native_leave:\n"
	"	leaq native_state(%rip), %rax\n"
	"	movdqu %xmm0, 160(%rax)\n	movdqu %xmm1, 176(%rax)\n	movdqu %xmm2, 192(%rax)\n"
	"	movdqu %xmm3, 208(%rax)\n	movdqu %xmm4, 224(%rax)\n	movdqu %xmm5, 240(%rax)\n"
	"	movdqu %xmm6, 256(%rax)\n	movdqu %xmm7, 272(%rax)\n	movdqu %xmm8, 288(%rax)\n"
	"	movdqu %xmm9, 304(%rax)\n	movdqu %xmm10, 320(%rax)\n	movdqu %xmm11, 336(%rax)\n"
	"	movdqu %xmm12, 352(%rax)\n	movdqu %xmm13, 368(%rax)\n	movdqu %xmm14, 384(%rax)\n"
	"	movdqu %xmm15, 400(%rax)\n"
	"	stmxcsr 144(%rax)\n"
	"	cld\n"
	"	ldmxcsr 16(%rsp)\n"
	"	addq $24, %rsp\n"
	"	popq %r15\n	popq %r14\n	popq %r13\n	popq %r12\n	popq %rbp\n	popq %rbx\n"
	"	ret\n");

/* The numbers of the general registers in the signal's frame, in the encoding's order. */
static const int frame_registers[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static void on_signal(int signal, siginfo_t *information, void *context)
{
	greg_t *frame = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)information;
	if (!running) {
		struct sigaction standard = {.sa_handler = SIG_DFL};

		sigaction(signal, &standard, NULL);
		return;
	}
	vector = (int)frame[REG_TRAPNO];
	for (int i = 0; i < 16; i++)
		native_state[i] = (uint64_t)frame[frame_registers[i]];
	native_state[RIP] = (uint64_t)frame[REG_RIP];
	native_state[FLAGS] = (uint64_t)frame[REG_EFL];
	frame[REG_RIP] = (greg_t)(uintptr_t)native_leave;
	frame[REG_RSP] = (greg_t)native_host_stack;
	frame[REG_EFL] &= ~0x400;
}

int native_cpu_prepare(uint64_t data, size_t data_size, uint64_t code, size_t code_size)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	int file;

	if (data_memory)
		return 0;
	file = memfd_create("native_cpu", 0);
	if (file < 0 || ftruncate(file, (off_t)code_size) != 0)
		return -1;
	data_memory = mmap((void *)data, data_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	code_memory = mmap((void *)code, code_size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0);
	code_alias = mmap(NULL, code_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (data_memory != (void *)data || code_memory != (void *)code || code_alias == MAP_FAILED) {
		data_memory = NULL;
		return -1;
	}
	code_bytes = code_size;
	memset(code_alias, HLT, code_size);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	return 0;
}

uint8_t *native_cpu_data(void)
{
	return data_memory;
}

int native_cpu_run(uint64_t *words, const uint8_t *code, size_t code_size)
{
	static uint8_t signal_stack[65536];
	/* The code's stack pointer is no place for a signal's frame. */
	stack_t old_stack, stack = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};
	uint64_t start = words[RIP], end = start + code_size, offset = start - (uint64_t)(uintptr_t)code_memory;

	if (offset >= code_bytes || code_bytes - offset <= code_size)
		return -2;
	sigaltstack(&stack, &old_stack);
	memcpy(code_alias + offset, code, code_size);
	memcpy(native_state, words, sizeof(native_state));
	/* No single-stepping, no alignment checks. */
	native_state[FLAGS] &= 0xCD5;
	native_state[FLAGS] |= 0x202;
	native_target = start;
	vector = -1;
	running = 1;
	native_enter();
	running = 0;
	sigaltstack(&old_stack, NULL);
	memset(code_alias + offset, HLT, code_size);
	memcpy(words, native_state, sizeof(native_state));
	return vector == 13 && words[RIP] == end ? -1 : vector;
}

void native_cpu_name(char name[49])
{
	unsigned words[12];

	for (unsigned i = 0; i < 3; i++)
		__cpuid(0x80000002 + i, words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]);
	memcpy(name, words, 48);
	name[48] = 0;
}
#else
int native_cpu_prepare(uint64_t data, size_t data_size, uint64_t code, size_t code_size)
{
	return -1;
}

uint8_t *native_cpu_data(void)
{
	return NULL;
}

int native_cpu_run(uint64_t *words, const uint8_t *code, size_t code_size)
{
	return -2;
}

void native_cpu_name(char name[49])
{
	memset(name, 0, 49);
}
#endif
