// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "fuzz.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PLACES = 6, EVENTFDS = 2 };
static atomic_int places[KINDS][PLACES];
static int eventfds[EVENTFDS]; // open all the time
static const char *device;

static void close_fd(int fd)
{
	if (fd > 0)
		close(fd);
}

// A descriptor in a place that nobody has used is 0: none of ours is.
int files_open(const char *path)
{
	int fd;

	device = path;
	for (int i = 0; i < EVENTFDS; i++)
		eventfds[i] = eventfd(0, EFD_CLOEXEC);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close_fd(atomic_exchange(&places[SYSTEMS][0], fd));
	return fd;
}

int files_pick(enum kind kind, struct random *r)
{
	int fd = places[kind][random_below(r, PLACES)];

	// Some places are empty: most threads want one that isn't.
	for (int i = 0; fd <= 0 && i < PLACES; i++)
		fd = places[kind][i];
	return fd > 0 ? fd : -1;
}

int files_eventfd(struct random *r)
{
	return random_below(r, 8) ? eventfds[random_below(r, EVENTFDS)] : files_pick(random_below(r, KINDS), r);
}

void files_keep(enum kind kind, int fd, struct random *r)
{
	close_fd(atomic_exchange(&places[kind][random_below(r, PLACES)], fd));
}

void files_close_one(enum kind kind, struct random *r)
{
	close_fd(atomic_exchange(&places[kind][random_below(r, PLACES)], 0));
	if (kind == SYSTEMS)
		files_keep(SYSTEMS, open(device, O_RDWR | O_CLOEXEC), r);
}

void files_close_all(void)
{
	for (int kind = KINDS - 1; kind >= 0; kind--)
		for (int i = 0; i < PLACES; i++)
			close_fd(atomic_exchange(&places[kind][i], 0));
}
