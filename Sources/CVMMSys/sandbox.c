// SPDX-License-Identifier: MIT OR GPL-2.0-only
#define _GNU_SOURCE
#include "sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int lkx_vmm_no_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

int lkx_vmm_drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

int lkx_vmm_no_dump(void)
{
	struct rlimit nothing = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &nothing) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0;
}

int lkx_vmm_close_inherited(void)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;

	if (!folder)
		return -errno;
	while ((entry = readdir(folder))) {
		int descriptor = atoi(entry->d_name); /* 0 of "." and ".." */
		int flags = descriptor > 2 ? fcntl(descriptor, F_GETFD) : FD_CLOEXEC;

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			close(descriptor);
	}
	return closedir(folder) ? -errno : 0;
}

/* <linux/landlock.h> of Debian 12 is older than networks (Linux 6.7) and scopes (6.12): struct landlock_ruleset_attr as it is by now. */
struct ruleset {
	uint64_t files;
	uint64_t network;
	uint64_t scopes;
};

int lkx_vmm_landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? -errno : (int)version;
}

static int keep(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	int result = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		result = -errno;
	if (rule.parent_fd >= 0)
		close(rule.parent_fd);
	return result;
}

int lkx_vmm_landlock(uint64_t files, uint64_t network, uint64_t scopes, const char *folder, uint64_t kept)
{
	const struct ruleset attributes = { files, network, scopes };
	/* What an older kernel doesn't know must be zero there, which it is as `network` and `scopes` are. */
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	int result = ruleset < 0 ? -errno : 0;

	if (!result && folder)
		result = keep(ruleset, folder, kept);
	if (!result && syscall(SYS_landlock_restrict_self, ruleset, 0))
		result = -errno;
	if (ruleset >= 0)
		close(ruleset);
	return result;
}

int lkx_vmm_filter(const struct sock_filter *program, unsigned int count)
{
	struct sock_fprog whole = { .len = (unsigned short)count, .filter = (struct sock_filter *)program };
	long thread;

	if (count > BPF_MAXINSNS)
		return -E2BIG;
	thread = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &whole);
	/* Positive: the thread that can't be given the filter, for it has another. */
	return thread < 0 ? -errno : thread > 0 ? -EBUSY : 0;
}
