// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Wrong ioctls, and what a device answers: one line each, the same every time. --compare shows where two devices differ.
#include "rows.h"
#include "../machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RESULT_SIZE = 64, ROW_SECONDS = 30 };

extern const struct row __start_rows[], __stop_rows[];

// The file of intended differences, built in (bad_ioctls.expected beside the sources).
extern const char expected_text[], expected_end[];
__asm__(".section .rodata\n.globl expected_text, expected_end\n"
	"expected_text: .incbin \"" EXPECTED_FILE "\"\n.byte 0\nexpected_end:\n.previous\n");

void *closed_page(void)
{
	return mmap(NULL, 0x1000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void *readonly_page(void)
{
	return mmap(NULL, 0x1000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void *before_closed_page(unsigned int size)
{
	char *pages = mmap(NULL, 0x11000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(pages + 0x10000, 0x1000, PROT_NONE);
	return pages + 0x10000 - size;
}

long set_region(struct setup *s, uint32_t slot, uint32_t flags, uint64_t base, uint64_t size, uint64_t address)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = flags, .guest_phys_addr = base, .memory_size = size, .userspace_addr = address,
	};

	return ioctl(s->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void make_setup(struct setup *s, const char *device)
{
	struct machine m;

	machine_open(&m, device);
	s->memory = machine_add_memory(&m, 0, 0, MEMORY_SIZE, 0, NULL);
	s->memory[0] = 0xf4;
	machine_add_vcpu(&m, 0);
	machine_set_mode(&m, MODE_REAL16, NULL);
	machine_set_entry(&m, 0, 0);
	s->system = m.system_fd;
	s->vm = m.vm_fd;
	s->vcpu = m.vcpu_fd;
	s->run = m.run;
	s->run_size = m.run_size;
}

// In the row's own process: the result goes to the parent as text.
static _Noreturn void run_row(const struct row *row, const char *device, int result_fd)
{
	char text[RESULT_SIZE];
	struct setup s;

	make_setup(&s, device);
	errno = 0;

	long value = row->call(&s);

	if (value >= 0)
		snprintf(text, sizeof(text), "%ld", value);
	else if (value == -1 && errno && strerrorname_np(errno))
		snprintf(text, sizeof(text), "%s", strerrorname_np(errno));
	else
		snprintf(text, sizeof(text), "value %ld, errno %d", value, errno);
	_exit(write(result_fd, text, strlen(text)) < 0);
}

static void result_of(const struct row *row, const char *device, char result[RESULT_SIZE])
{
	int ends[2], status;

	fflush(stdout);
	if (pipe(ends))
		die_errno("pipe");

	pid_t child = fork();

	if (child < 0)
		die_errno("fork");
	if (!child) {
		close(ends[0]);
		alarm(ROW_SECONDS);
		run_row(row, device, ends[1]);
	}
	close(ends[1]);

	ssize_t length = read(ends[0], result, RESULT_SIZE - 1);

	close(ends[0]);
	if (waitpid(child, &status, 0) < 0)
		die_errno("waitpid");
	result[length > 0 ? length : 0] = 0;
	if (WIFSIGNALED(status))
		snprintf(result, RESULT_SIZE, "SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		die("row %s could not be set up on %s", row->name, device);
}

// Whether the file of intended differences has this one. Its lines:
//   kernel TAB row TAB result on the first device TAB result on the second TAB reason
// kernel is "*" or the beginning of uname -r; a result may be "*".
static bool is_intended(const char *expected, const char *row, const char *a, const char *b, char *reason, size_t reason_size)
{
	const char *wanted[] = { NULL, row, a, b };
	char *copy = strdup(expected), *rest = copy;
	struct utsname system;
	bool found = false;

	uname(&system);
	for (char *line; !found && (line = strsep(&rest, "\n"));) {
		if (!*line || *line == '#')
			continue;
		found = true;
		for (int i = 0; i < 4; i++) {
			const char *field = strsep(&line, "\t");

			if (!line)
				die("a line of the intended differences for %s has fewer than five fields", field);
			if (strcmp(field, "*") && (i ? strcmp(field, wanted[i]) : strncmp(system.release, field, strlen(field))))
				found = false;
		}
		if (found)
			snprintf(reason, reason_size, "%s", line);
	}
	free(copy);
	return found;
}

static const char *read_file(const char *path)
{
	static char text[0x10000];
	FILE *file = fopen(path, "r");

	if (!file)
		die_errno("%s", path);
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	return text;
}

static int compare(const char *a, const char *b, const char *expected)
{
	int rows = 0, differ = 0, intended = 0;

	for (const struct row *row = __start_rows; row < __stop_rows; row++, rows++) {
		char result_a[RESULT_SIZE], result_b[RESULT_SIZE], reason[256];

		result_of(row, a, result_a);
		result_of(row, b, result_b);
		if (!strcmp(result_a, result_b))
			continue;
		if (is_intended(expected, row->name, result_a, result_b, reason, sizeof(reason))) {
			intended++;
			printf("intended\t%s\t%s\t%s\t%s\n", row->name, result_a, result_b, reason);
		} else {
			differ++;
			printf("DIFFERS\t%s\t%s\t%s\n", row->name, result_a, result_b);
		}
	}
	printf("%d rows on %s and %s: %d the same, %d differ as intended, %d differ\n", rows, a, b,
	       rows - intended - differ, intended, differ);
	return differ ? 1 : 0;
}

static int list(const char *device)
{
	for (const struct row *row = __start_rows; row < __stop_rows; row++) {
		char result[RESULT_SIZE];

		result_of(row, device, result);
		printf("%s\t%s\n", row->name, result);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && argv[1][0] != '-')
		return list(argv[1]);
	if (argc == 4 && !strcmp(argv[1], "--compare"))
		return compare(argv[2], argv[3], expected_text);
	if (argc == 5 && !strcmp(argv[1], "--compare"))
		return compare(argv[2], argv[3], read_file(argv[4]));
	fprintf(stderr, "usage: bad_ioctls DEVICE                       prints what each wrong ioctl gives\n"
			"       bad_ioctls --compare DEVICE DEVICE [FILE]  prints where they differ; ends with 1 when a\n"
			"                                                  difference is not in the list of intended ones\n");
	return 2;
}
