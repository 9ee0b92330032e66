/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * System calls of the devices' that Swift's view of libc doesn't have: variadic ones, and GNU's.
 * Each answers what the call does, or -errno, and is repeated when a signal came in between.
 */
#ifndef CDEVICESYS_H
#define CDEVICESYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* preadv(2), pwritev(2), readv(2), writev(2) */
long lkx_dev_preadv(int fd, const struct iovec *vectors, int count, int64_t offset);
long lkx_dev_pwritev(int fd, const struct iovec *vectors, int count, int64_t offset);
long lkx_dev_readv(int fd, const struct iovec *vectors, int count);
long lkx_dev_writev(int fd, const struct iovec *vectors, int count);

/* fdatasync(2) */
long lkx_dev_sync(int fd);
/* fallocate(2): a hole, or zeroes that are allocated; the file keeps its size. */
long lkx_dev_punch_hole(int fd, int64_t offset, int64_t length);
long lkx_dev_zero_range(int fd, int64_t offset, int64_t length);

/* getrandom(2) */
long lkx_dev_random(void *to, size_t count);

/* TUNSETVNETHDRSZ, TUNSETOFFLOAD of a tap. */
long lkx_dev_tap_header_size(int fd, int size);
long lkx_dev_tap_offload(int fd, unsigned int flags);

/* Unix stream sockets, neither blocking nor inherited: listening at a path, where only the socket of a program that is gone may be, taking a
 * connection, and connecting. */
long lkx_dev_listen(const char *path);
long lkx_dev_accept(int fd);
long lkx_dev_connect(const char *path);
/* recv(2) and send(2) without a signal when the other side is gone; shutdown(2) of what is `how`: 0 reading, 1 writing, 2 both. */
long lkx_dev_receive(int fd, void *to, size_t count);
long lkx_dev_send(int fd, const void *from, size_t count);
long lkx_dev_shutdown(int fd, int how);
long lkx_dev_close(int fd);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t lkx_dev_now(void);

#endif
