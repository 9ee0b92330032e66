// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Ticks from the exec of a program until a line of its output begins with some words: what a VMM takes until its guest's init speaks.
// The program's output goes on to standard error. Ends with the program's status, or with 1 if the words never came.
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void die(const char *what)
{
	fprintf(stderr, "until_says: %s: %s\n", what, strerror(errno));
	exit(1);
}

// When the words were there; 0 if the output ended without them. Byte by byte: a line of a console may arrive in parts.
static uint64_t watch(int fd, const char *words)
{
	size_t wanted = strlen(words), same = 0;
	bool beginning = true; // of a line, as far as it has been read
	uint64_t found = 0;
	char buffer[4096];
	ssize_t got;

	while ((got = read(fd, buffer, sizeof(buffer))) != 0) {
		if (got < 0) {
			if (errno == EINTR)
				continue;
			die("reading the program's output");
		}
		for (ssize_t i = 0; i < got && !found; i++) {
			if (buffer[i] == '\n') {
				beginning = true;
				same = 0;
			} else if (beginning && buffer[i] == words[same]) {
				if (++same == wanted)
					found = ticks();
			} else {
				beginning = false;
			}
		}
		if (fwrite(buffer, 1, got, stderr) != (size_t)got)
			die("writing it");
	}
	return found;
}

int main(int argc, char **argv)
{
	uint64_t begun, found;
	int ends[2], status;
	pid_t child;

	if (argc < 3 || !*argv[1]) {
		fprintf(stderr, "until_says WORDS PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	if (pipe(ends))
		die("pipe");
	begun = ticks();
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	close(ends[1]);
	found = watch(ends[0], argv[1]);
	if (waitpid(child, &status, 0) != child)
		die("waitpid");
	if (!found) {
		fprintf(stderr, "until_says: no line of it began with \"%s\"\n", argv[1]);
		return 1;
	}
	printf("%llu\n", (unsigned long long)(found - begun));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
