// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Signals that end the process with a message. On a thread that may hold any lock: write(2), tcsetattr(3) and _exit(2) only. */
#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static struct termios terminal;
static bool has_terminal;

/* Those that a filter with conditions refuses, and those that whoever has taken over a process tries first. */
static const char *const names[] = {
#define NAME(call) [__NR_##call] = #call
	NAME(read), NAME(write), NAME(open), NAME(close), NAME(stat), NAME(fstat), NAME(poll), NAME(lseek), NAME(mmap), NAME(mprotect), NAME(munmap),
	NAME(brk), NAME(rt_sigaction), NAME(rt_sigprocmask), NAME(ioctl), NAME(access), NAME(pipe), NAME(sched_yield), NAME(mremap), NAME(madvise),
	NAME(dup), NAME(dup2), NAME(nanosleep), NAME(getpid), NAME(socket), NAME(connect), NAME(accept), NAME(sendto), NAME(recvfrom), NAME(sendmsg),
	NAME(recvmsg), NAME(bind), NAME(listen), NAME(socketpair), NAME(clone), NAME(fork), NAME(vfork), NAME(execve), NAME(kill), NAME(fcntl),
	NAME(ftruncate), NAME(getcwd), NAME(chdir), NAME(rename), NAME(mkdir), NAME(unlink), NAME(readlink), NAME(chmod), NAME(chown), NAME(ptrace),
	NAME(prctl), NAME(setuid), NAME(mount), NAME(tgkill), NAME(futex), NAME(openat), NAME(newfstatat), NAME(unlinkat), NAME(memfd_create),
	NAME(process_vm_readv), NAME(process_vm_writev), NAME(execveat), NAME(statx), NAME(io_uring_setup), NAME(openat2), NAME(clone3),
#undef NAME
};

static char *put_text(char *at, const char *text)
{
	size_t length = strlen(text);

	memcpy(at, text, length);
	return at + length;
}

static char *put_number(char *at, uint64_t value, unsigned int base)
{
	char digits[20];
	int count = 0;

	do
		digits[count++] = "0123456789abcdef"[value % base];
	while (value /= base);
	while (count > 0)
		*at++ = digits[--count];
	return at;
}

/* There is nobody to tell of an error. */
static _Noreturn void end(const char *line, size_t length, int status)
{
	if (has_terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
	if (write(STDERR_FILENO, line, length) < 0)
		_exit(status);
	_exit(status);
}

static int catch(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	/* No other handler interrupts it; a second such signal in it would kill the process at once. */
	sigfillset(&action.sa_mask);
	return sigaction(signal, &action, NULL) ? -errno : 0;
}

static void forbidden(int signal, siginfo_t *info, void *context)
{
	const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	const greg_t arguments[] = { registers[REG_RDI], registers[REG_RSI], registers[REG_RDX] };
	unsigned int call = (unsigned int)info->si_syscall;
	char line[320], *at = line; /* The words and four numbers of 20 digits at most. */

	(void)signal;
	at = put_text(at, "likex-vmm: ended by its sandbox, which does not allow system call ");
	at = put_number(at, call, 10);
	if (call < sizeof(names) / sizeof(names[0]) && names[call]) {
		at = put_text(at, ", ");
		at = put_text(at, names[call]);
	}
	for (int i = 0; i < 3; i++) {
		at = put_text(at, i ? ", 0x" : "(0x");
		at = put_number(at, (uint64_t)arguments[i], 16);
	}
	at = put_text(at, ", ...): a fault of likex-vmm or an attack by its guest\n");
	end(line, (size_t)(at - line), LKX_VMM_FORBIDDEN_STATUS);
}

int lkx_vmm_catch_forbidden(const struct termios *before)
{
	has_terminal = before != NULL;
	if (before)
		terminal = *before;
	return catch(SIGSYS, forbidden);
}

static void no_memory(int signal, siginfo_t *info, void *context)
{
	static const char missing[] = "likex-vmm: the kernel or initrd became shorter while it was loaded, or the host has no memory left for "
				      "the guest's (huge pages, /dev/shm)\n";
	static const char broken[] = "likex-vmm: the host reports an error of its memory where this VM's is\n";

	(void)signal;
	(void)context;
	if (info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO)
		end(broken, sizeof(broken) - 1, LKX_VMM_NO_MEMORY_STATUS);
	end(missing, sizeof(missing) - 1, LKX_VMM_NO_MEMORY_STATUS);
}

int lkx_vmm_catch_no_memory(void)
{
	return catch(SIGBUS, no_memory);
}
