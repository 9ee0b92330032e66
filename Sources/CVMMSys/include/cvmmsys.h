/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What Linux has beyond POSIX and Swift's Glibc module doesn't import: epoll, eventfd, signalfd, memfd. */
#ifndef CVMMSYS_H
#define CVMMSYS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

/* eventfd(2), close-on-exec, not blocking: the descriptor, or -1 with errno. */
int lkx_vmm_eventfd(void);
/* epoll_create1(2), close-on-exec. */
int lkx_vmm_epoll(void);
/* epoll_ctl(2): 0, or -1 with errno. */
int lkx_vmm_epoll_add(int epoll, int descriptor, uint32_t events);
int lkx_vmm_epoll_change(int epoll, int descriptor, uint32_t events);
int lkx_vmm_epoll_remove(int epoll, int descriptor);
/* epoll_wait(2) for one event: 1 and what it is, 0 after a signal, or -1 with errno. */
int lkx_vmm_epoll_wait(int epoll, int *descriptor, uint32_t *events);
/* signalfd(2) of the signals in *set, close-on-exec, not blocking. */
int lkx_vmm_signalfd(const sigset_t *set);
/* timerfd_create(2) of CLOCK_MONOTONIC, close-on-exec, not blocking. */
int lkx_vmm_timerfd(void);
/* It expires once, at a time in nanoseconds. */
void lkx_vmm_timerfd_set(int timer, uint64_t nanoseconds);
/* A tap of that name, with virtio-net's header before each packet, not blocking: the descriptor, or -1 with errno. */
int lkx_vmm_tap(const char *name);
/* What devices ask of a tap later: TUNSETOFFLOAD, TUNSETVNETHDRSZ. */
extern const uint32_t lkx_vmm_tap_offload, lkx_vmm_tap_header_size;
/* TIOCGWINSZ: 0 and how many columns and rows, or -1 where there is no terminal. */
int lkx_vmm_terminal_size(int descriptor, uint16_t *columns, uint16_t *rows);
/* memfd_create(2), close-on-exec; of 2 MiB pages from the host's pool where `huge`. */
int lkx_vmm_memfd(const char *name, bool huge);
/* gettid(2) */
int lkx_vmm_thread(void);
/* A real-time signal that the C library leaves alone; not one of CKVMSys's. */
int lkx_vmm_kick_signal(void);

#endif
