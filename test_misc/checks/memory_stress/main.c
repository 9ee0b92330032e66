// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "stress.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

// The device becomes swap space, by the header that mkswap(8) writes: version, last page and count of bad ones at 1024, the magic at a page's end.
static void swap_on(const char *path)
{
	static const char magic[] = "SWAPSPACE2";
	int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	uint32_t words[] = { 1, size / PAGE - 1, 0 };
	char header[PAGE] = { 0 };

	if (size < 16 * PAGE)
		die_errno("%s is no device to swap to", path);
	memcpy(header + 1024, words, sizeof(words));
	memcpy(header + PAGE - strlen(magic), magic, strlen(magic));
	if (pwrite(fd, header, PAGE, 0) != PAGE || fsync(fd) || close(fd) || swapon(path, 0))
		die_errno("swapon %s", path);
}

// Nothing counted for so long: the guest hangs.
enum { TURNS_A_SECOND = 10, PATIENCE_SECONDS = 60, TELLING_SECONDS = 10 };

static void watch(unsigned long wanted)
{
	unsigned long before = 0;

	for (int turn = 1, idle = 0; !stop && accesses < wanted; turn++, usleep(1000000 / TURNS_A_SECOND)) {
		if (turn % (TELLING_SECONDS * TURNS_A_SECOND) == 0)
			printf("\t%lu of %lu accesses\n", accesses, wanted);
		idle = accesses == before ? idle + 1 : 0;
		before = accesses;
		if (idle > PATIENCE_SECONDS * TURNS_A_SECOND) {
			printf("FAIL\tno vCPU has come round for %d s\n", PATIENCE_SECONDS);
			failed = true;
			break;
		}
	}
	stop = true;
}

int main(int argc, char **argv)
{
	unsigned long wanted = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
	struct machine machines[VCPUS];
	struct memory memory;

	if (argc < 2 || argc > 4 || argv[1][0] == '-' || !wanted) {
		fprintf(stderr, "usage: memory_stress DEVICE [ACCESSES [SWAP]]\n"
				"  Two vCPUs read and write 8 MiB at random while the host changes what is behind it, until ACCESSES (1000000\n"
				"  unless told) are done. SWAP: a block device, whose contents are lost, to swap to meanwhile.\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 3)
		swap_on(argv[3]);
	machine_open(&machines[0], argv[1]);
	memory.low = machine_add_memory(&machines[0], 0, 0, LOW_SIZE, 0, NULL);
	guest_place(&memory);
	host_place(&machines[0], &memory);
	for (int i = 0; i < VCPUS; i++) {
		if (i)
			machines[i] = machines[0];
		machine_add_vcpu(&machines[i], i);
	}
	guest_start(machines, &memory);
	host_start();
	watch(wanted);
	guest_join();
	host_join();
	if (!failed)
		guest_check(&memory);
	host_report();
	printf("%s\t%lu accesses by %d vCPUs on %s, %lu times EFAULT\n", failed ? "FAIL" : "ok", accesses, VCPUS, argv[1], faults);
	// The VM ends with the process.
	if (argc > 3 && swapoff(argv[3]))
		die_errno("swapoff %s", argv[3]);
	return failed ? 1 : 0;
}
