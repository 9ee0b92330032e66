// SPDX-License-Identifier: MIT OR GPL-2.0-only
#define _GNU_SOURCE
#include "csandboxchild.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"

struct work {
	struct lkx_test_call *calls;
	size_t count;
	sem_t there;
	sem_t go;
};

static void make(struct work *work)
{
	for (size_t i = 0; i < work->count; i++) {
		struct lkx_test_call *call = &work->calls[i];
		const uint64_t *a = call->arguments;
		long result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);

		call->result = result < 0 ? -(long)errno : result;
	}
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) && errno == EINTR)
		;
}

static void *wait_and_make(void *context)
{
	struct work *work = context;

	sem_post(&work->there);
	wait_for(&work->go);
	make(work);
	return NULL;
}

static void child(const struct sock_filter *program, unsigned int count, struct work *work, int on_thread)
{
	pthread_t thread;

	sem_init(&work->there, 0, 0);
	sem_init(&work->go, 0, 0);
	if (lkx_vmm_no_new_privileges() || lkx_vmm_catch_forbidden(NULL) || (on_thread && pthread_create(&thread, NULL, wait_and_make, work)))
		_exit(100);
	/* A thread that begins makes calls of its own. */
	if (on_thread)
		wait_for(&work->there);
	if (lkx_vmm_filter(program, count))
		_exit(101);
	sem_post(&work->go);
	if (on_thread)
		pthread_join(thread, NULL);
	else
		make(work);
	_exit(0);
}

/* What the child's calls answer comes back in memory that both have. */
static void *shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int finish(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

/* A child, with what it says on standard error until its end in *said: its PID, or 0 in it. */
static pid_t fork_heard(char *said, size_t most)
{
	size_t got = 0;
	ssize_t part;
	int ends[2];
	pid_t pid;

	said[0] = 0;
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		return 0;
	}
	close(ends[1]);
	while (pid > 0 && got < most - 1 && (part = read(ends[0], said + got, most - 1 - got)) > 0)
		got += (size_t)part;
	said[got] = 0;
	close(ends[0]);
	return pid;
}

int lkx_test_filtered(const struct sock_filter *program, unsigned int count, struct lkx_test_call *calls, size_t call_count, int on_thread,
		      char *said, size_t most)
{
	size_t size = call_count * sizeof(*calls);
	struct lkx_test_call *both = shared(size);
	int status;
	pid_t pid;

	if (!both)
		return -ENOMEM;
	memcpy(both, calls, size);
	pid = fork_heard(said, most);
	if (pid == 0) {
		struct work work = { .calls = both, .count = call_count };

		child(program, count, &work, on_thread);
	}
	status = pid < 0 ? -errno : finish(pid);
	memcpy(calls, both, size);
	munmap(both, size);
	return status;
}

int lkx_test_no_memory(char *said, size_t most)
{
	pid_t pid = fork_heard(said, most);

	if (pid == 0) {
		int file = memfd_create("short", MFD_CLOEXEC);
		const volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);

		if (page == MAP_FAILED || lkx_vmm_catch_no_memory())
			_exit(100);
		_exit(*page);
	}
	return pid < 0 ? -errno : finish(pid);
}

static int outcome(long result)
{
	return result < 0 ? -errno : 0;
}

int lkx_test_landlocked(uint64_t files, uint64_t network, uint64_t scopes, const char *folder, uint64_t kept, const char *file, const char *removed,
			const char *removed_elsewhere, struct lkx_test_files *results)
{
	struct lkx_test_files *both = shared(sizeof(*both));
	int status;
	pid_t pid;

	if (!both)
		return -ENOMEM;
	pid = fork();
	if (pid == 0) {
		int error = lkx_vmm_no_new_privileges();

		if (!error)
			error = lkx_vmm_landlock(files, network, scopes, folder, kept);
		if (error)
			_exit(-error);
		both->opened = outcome(open(file, O_RDONLY | O_CLOEXEC));
		both->removed = outcome(unlink(removed));
		both->removed_elsewhere = outcome(unlink(removed_elsewhere));
		_exit(0);
	}
	status = pid < 0 ? -errno : finish(pid);
	*results = *both;
	munmap(both, sizeof(*both));
	return status < 0 ? status : WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int has_none(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct left[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, left))
		return 0;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if (left[i].effective | left[i].permitted | left[i].inheritable)
			return 0;
	return 1;
}

int lkx_test_unprivileged(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (lkx_vmm_no_new_privileges() || lkx_vmm_drop_capabilities() || lkx_vmm_no_dump())
			_exit(100);
		_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) | !prctl(PR_GET_DUMPABLE) << 1 | has_none() << 2);
	}
	status = pid < 0 ? -errno : finish(pid);
	return status < 0 ? status : WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}
