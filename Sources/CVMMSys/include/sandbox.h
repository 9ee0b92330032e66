/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a process gives up for good. Each answers 0, or -errno. */
#ifndef CVMMSYS_SANDBOX_H
#define CVMMSYS_SANDBOX_H

#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

/* The status of a process that made a call which its filter doesn't allow. */
#define LKX_VMM_FORBIDDEN_STATUS 4
/* And of one whose memory, or a file of its own, is not there any more. */
#define LKX_VMM_NO_MEMORY_STATUS 2

/* prctl(2), PR_SET_NO_NEW_PRIVS: of this thread and those that it makes. */
int lkx_vmm_no_new_privileges(void);
/* capset(2): none left, of this thread and those that it makes. */
int lkx_vmm_drop_capabilities(void);
/* RLIMIT_CORE 0, PR_SET_DUMPABLE 0: the guest's memory gets into no file, and no other process of the same user reads it. */
int lkx_vmm_no_dump(void);
/* Closes what the program that started this one left open: all but 0, 1, 2 and what is closed by execve(2), as all of this program's own are. */
int lkx_vmm_close_inherited(void);

/* landlock_create_ruleset(2): the kernel's version of Landlock, or -errno where it has none. */
int lkx_vmm_landlock_version(void);
/* Takes the rights from this thread and those that it makes; `folder`, if any, keeps those in `kept`. */
int lkx_vmm_landlock(uint64_t files, uint64_t network, uint64_t scopes, const char *folder, uint64_t kept);

/*
 * Says on standard error what was called, and ends the process with LKX_VMM_FORBIDDEN_STATUS, when the filter traps a call: a handler of SIGSYS.
 * The terminal, where there is one, gets the settings back first.
 */
int lkx_vmm_catch_forbidden(const struct termios *terminal);
/* The same for SIGBUS, with LKX_VMM_NO_MEMORY_STATUS: there is nothing behind a mapping of a file, or of the guest's memory. */
int lkx_vmm_catch_no_memory(void);
/* seccomp(2), on all threads of the process. */
int lkx_vmm_filter(const struct sock_filter *program, unsigned int count);

#endif
