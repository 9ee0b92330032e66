// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The other end of what a guest OS's devices reach, and the guest's own end of vsock, for test_misc/lab/scripts/boot.sh:
//   socket echo PATH              a unix socket that sends back what comes, one connection after the other
//   socket vsock CID PORT MIB     to that socket from inside a guest, back again, compared
//   socket ask PATH COMMAND...    QMP: negotiates, gives one command after the other and prints the answers; <>FILE passes a descriptor of that file
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, ANSWER = 64 * 1024, PATIENCE_MS = 120 * 1000 };

static _Noreturn void fail(const char *format, ...)
{
	int number = errno;
	va_list arguments;

	fprintf(stderr, "socket: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, number ? ": %s\n" : "\n", strerror(number));
	exit(1);
}

static void write_all(int fd, const char *bytes, size_t count)
{
	while (count) {
		ssize_t n = write(fd, bytes, count);

		if (n < 0 && errno != EINTR)
			fail("cannot send");
		if (n > 0) {
			bytes += n;
			count -= n;
		}
	}
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		fail("%s", path);
	}
	strcpy(to.sun_path, path);
	return to;
}

static _Noreturn void echo(const char *path)
{
	struct sockaddr_un at = address(path);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	static char bytes[CHUNK];

	unlink(path);
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 8))
		fail("cannot listen at %s", path);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		ssize_t n;

		if (fd < 0)
			fail("cannot accept at %s", path);
		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			write_all(fd, bytes, n);
		close(fd);
	}
}

// The n-th byte that is sent: no run of it is like another for long.
static uint8_t pattern(uint64_t n)
{
	uint64_t mixed = (n >> 3) * 0x9e3779b97f4a7c15;

	return mixed >> (56 - 8 * (n & 7));
}

static int vsock(unsigned int cid, unsigned int port, uint64_t size)
{
	struct sockaddr_vm to = { .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0);
	static uint8_t out[CHUNK], in[CHUNK];
	struct pollfd poll_fd = { .fd = fd };
	uint64_t sent = 0, came = 0;
	int error = 0;
	socklen_t length = sizeof(error);

	if (fd < 0 || (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS))
		fail("cannot connect to %u:%u", cid, port);
	poll_fd.events = POLLOUT;
	if (poll(&poll_fd, 1, PATIENCE_MS) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) || error) {
		errno = error ? error : ETIMEDOUT;
		fail("cannot connect to %u:%u", cid, port);
	}
	while (came < size) {
		poll_fd.events = POLLIN | (sent < size ? POLLOUT : 0);
		if (poll(&poll_fd, 1, PATIENCE_MS) != 1) {
			errno = ETIMEDOUT;
			fail("%llu bytes sent, %llu came back", (unsigned long long)sent, (unsigned long long)came);
		}
		if (poll_fd.revents & POLLOUT && sent < size) {
			size_t count = size - sent < CHUNK ? size - sent : CHUNK;
			ssize_t n;

			for (size_t i = 0; i < count; i++)
				out[i] = pattern(sent + i);
			n = write(fd, out, count);
			if (n < 0 && errno != EAGAIN)
				fail("cannot send");
			sent += n > 0 ? n : 0;
		}
		if (poll_fd.revents & (POLLIN | POLLHUP | POLLERR)) {
			ssize_t n = read(fd, in, sizeof(in));

			if (n == 0 || (n < 0 && errno != EAGAIN))
				fail("the connection ended after %llu bytes", (unsigned long long)came);
			for (ssize_t i = 0; i < n; i++)
				if (in[i] != pattern(came + i)) {
					errno = 0;
					fail("byte %llu came back as 0x%02x, not 0x%02x", (unsigned long long)(came + i), in[i], pattern(came + i));
				}
			came += n > 0 ? n : 0;
		}
	}
	printf("%llu bytes echoed\n", (unsigned long long)came);
	return 0;
}

// One line; QMP's events, which come at any time, are not answers.
static void answer(FILE *from, const char *path, char *line)
{
	do {
		if (!fgets(line, ANSWER, from)) {
			errno = 0;
			fail("%s: no answer", path);
		}
	} while (strstr(line, "\"event\":"));
}

// A descriptor, with a byte that is nothing to QMP.
static void pass(int socket, const char *path)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec space = { .iov_base = " ", .iov_len = 1 };
	struct msghdr message = { .msg_iov = &space, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	int file = open(path, O_RDWR);

	if (file < 0)
		fail("%s", path);
	memcpy(CMSG_DATA(&control.header), &file, sizeof(file));
	if (sendmsg(socket, &message, 0) != 1)
		fail("cannot send");
	close(file);
}

static int ask(const char *path, char **commands)
{
	struct sockaddr_un to = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	static char line[ANSWER];
	FILE *file;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("cannot connect to %s", path);
	file = fdopen(fd, "r");
	answer(file, path, line);
	dprintf(fd, "{\"execute\": \"qmp_capabilities\"}\n");
	answer(file, path, line);
	for (; *commands; commands++) {
		if (!strncmp(*commands, "<>", 2)) {
			pass(fd, *commands + 2);
			continue;
		}
		dprintf(fd, "%s\n", *commands);
		answer(file, path, line);
		fputs(line, stdout);
		if (strstr(line, "\"error\":"))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "echo"))
		echo(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "vsock"))
		return vsock(strtoul(argv[2], NULL, 0), strtoul(argv[3], NULL, 0), strtoull(argv[4], NULL, 0) << 20);
	if (argc >= 4 && !strcmp(argv[1], "ask"))
		return ask(argv[2], argv + 3);
	fprintf(stderr, "usage: socket echo PATH | vsock CID PORT MIB | ask PATH COMMAND...\n");
	return 2;
}
