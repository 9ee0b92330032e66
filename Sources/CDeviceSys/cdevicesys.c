/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#define _GNU_SOURCE
#include "cdevicesys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The result of an expression, which is evaluated again after EINTR. */
#define RESULT(call)						\
	({							\
		long result_;					\
		do						\
			result_ = (call);			\
		while (result_ < 0 && errno == EINTR);		\
		result_ < 0 ? -(long)errno : result_;		\
	})

long lkx_dev_preadv(int fd, const struct iovec *vectors, int count, int64_t offset)
{
	return RESULT(preadv(fd, vectors, count, offset));
}

long lkx_dev_pwritev(int fd, const struct iovec *vectors, int count, int64_t offset)
{
	return RESULT(pwritev(fd, vectors, count, offset));
}

long lkx_dev_readv(int fd, const struct iovec *vectors, int count)
{
	return RESULT(readv(fd, vectors, count));
}

long lkx_dev_writev(int fd, const struct iovec *vectors, int count)
{
	return RESULT(writev(fd, vectors, count));
}

long lkx_dev_sync(int fd)
{
	return RESULT(fdatasync(fd));
}

long lkx_dev_punch_hole(int fd, int64_t offset, int64_t length)
{
	return RESULT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
}

long lkx_dev_zero_range(int fd, int64_t offset, int64_t length)
{
	return RESULT(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length));
}

long lkx_dev_random(void *to, size_t count)
{
	return RESULT(getrandom(to, count, 0));
}

long lkx_dev_tap_header_size(int fd, int size)
{
	return RESULT(ioctl(fd, TUNSETVNETHDRSZ, &size));
}

long lkx_dev_tap_offload(int fd, unsigned int flags)
{
	return RESULT(ioctl(fd, TUNSETOFFLOAD, (unsigned long)flags));
}

/* A path that doesn't fit is an error, not one that is cut off. */
static long unix_address(const char *path, struct sockaddr_un *address)
{
	size_t length = strlen(path);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (length >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memcpy(address->sun_path, path, length);
	return 0;
}

static long unix_socket(const char *path, int (*use)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un address;
	long result = unix_address(path, &address);
	int fd;

	if (result)
		return result;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -(long)errno;
	result = RESULT(use(fd, (const struct sockaddr *)&address, sizeof(address)));
	if (result < 0) {
		close(fd);
		return result;
	}
	return fd;
}

static int bind_and_listen(int fd, const struct sockaddr *address, socklen_t length)
{
	return bind(fd, address, length) ? -1 : listen(fd, 64);
}

long lkx_dev_listen(const char *path)
{
	long fd = unix_socket(path, bind_and_listen), other;
	struct stat what;

	if (fd != -EADDRINUSE)
		return fd;
	/* Of a program that was killed a socket is left, which refuses. Nothing else is taken away: a file refuses as well. */
	if (lstat(path, &what) || !S_ISSOCK(what.st_mode))
		return fd;
	other = unix_socket(path, connect);
	if (other >= 0)
		close(other);
	if (other != -ECONNREFUSED || unlink(path))
		return fd;
	return unix_socket(path, bind_and_listen);
}

long lkx_dev_connect(const char *path)
{
	return unix_socket(path, connect);
}

long lkx_dev_accept(int fd)
{
	return RESULT(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

long lkx_dev_receive(int fd, void *to, size_t count)
{
	return RESULT(recv(fd, to, count, MSG_DONTWAIT));
}

long lkx_dev_send(int fd, const void *from, size_t count)
{
	return RESULT(send(fd, from, count, MSG_DONTWAIT | MSG_NOSIGNAL));
}

long lkx_dev_shutdown(int fd, int how)
{
	return RESULT(shutdown(fd, how));
}

long lkx_dev_close(int fd)
{
	/* Never repeated: on Linux the descriptor is gone whatever it says. */
	return close(fd) ? -(long)errno : 0;
}

uint64_t lkx_dev_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
