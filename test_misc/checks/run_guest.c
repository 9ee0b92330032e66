// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Runs guests of guests.json on a device and compares what they do with what the table says they must.
// It is the test machine a second time, in C and independent of the Swift package: each checks the other.
#include "json.h"
#include "machine.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum { MAX_SLOTS = 16, MAX_QUEUE = 64, MAX_OUTPUT = 4096, MAX_EXITS = 100000, SECONDS = 60 };

struct block { uint64_t base, size; uint8_t *memory; };

struct guest_run {
	struct machine m;
	struct block blocks[MAX_SLOTS];
	int n_blocks;
	char output[MAX_OUTPUT];
	size_t output_length;
	uint64_t in_bytes;
	uint8_t queue[MAX_QUEUE];
	int queued, taken;
	unsigned int io, mmio, hlt;
	uint32_t status;
	const char *end;
	bool trace;
};

static struct kvm_run *volatile kicked;

static void on_alarm(int signal)
{
	(void)signal;
	if (kicked)
		kicked->immediate_exit = 1;
}

static uint8_t *memory_at(struct guest_run *g, uint64_t gpa, uint64_t size)
{
	for (int i = 0; i < g->n_blocks; i++)
		if (gpa >= g->blocks[i].base && gpa + size <= g->blocks[i].base + g->blocks[i].size)
			return g->blocks[i].memory + (gpa - g->blocks[i].base);
	die("the guest's memory does not hold %llu bytes at %#llx", (unsigned long long)size, (unsigned long long)gpa);
}

static void load(struct guest_run *g, const char *path, uint64_t gpa)
{
	FILE *file = fopen(path, "r");
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET))
		die_errno("%s", path);
	if (fread(memory_at(g, gpa, size), 1, size, file) != (size_t)size)
		die("%s: could not read %ld bytes", path, size);
	fclose(file);
}

static uint64_t *register_named(struct kvm_regs *regs, const char *name)
{
	static const char names[][8] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8", "r9", "r10",
					 "r11", "r12", "r13", "r14", "r15", "rip", "rflags" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i]))
			return (uint64_t *)regs + i;
	die("no register is called \"%s\"", name);
}

static void set_up(struct guest_run *g, const struct json *guest, const char *path)
{
	const char *mode_name = json_string(json_get(guest, "mode"), "real16");
	enum machine_mode mode = !strcmp(mode_name, "real16") ? MODE_REAL16 :
				 !strcmp(mode_name, "protected32") ? MODE_PROTECTED32 : MODE_LONG64;
	uint64_t at = json_number(json_get(guest, "load"), 0x1000);
	struct kvm_regs regs;

	if (mode == MODE_LONG64 && strcmp(mode_name, "long64"))
		die("mode \"%s\" is none of real16, protected32, long64", mode_name);
	for (const struct json *slot = json_get(guest, "memory")->first; slot; slot = slot->next) {
		uint64_t base = json_number(json_get(slot, "base"), 0), size = json_number(json_get(slot, "size"), 0);
		const struct json *readonly = json_get(slot, "readonly");
		struct block *block = &g->blocks[g->n_blocks++];

		if (g->n_blocks > MAX_SLOTS)
			die("more than %d slots", MAX_SLOTS);
		block->base = base;
		block->size = size;
		block->memory = machine_add_memory(&g->m, json_number(json_get(slot, "slot"), 0), base, size,
						   readonly && readonly->boolean ? KVM_MEM_READONLY : 0, NULL);
		if (json_get(slot, "fill"))
			memset(block->memory, json_number(json_get(slot, "fill"), 0), size);
	}
	machine_add_vcpu(&g->m, 0);
	machine_set_cpuid(&g->m);
	load(g, path, at);
	machine_set_mode(&g->m, mode, mode == MODE_LONG64 ? (uint64_t *)memory_at(g, 0x9000, 0x4000) : NULL);
	machine_set_entry(&g->m, json_number(json_get(guest, "entry"), at), 0);
	must_ioctl(&g->m, g->m.vcpu_fd, KVM_GET_REGS, &regs);
	if (json_get(guest, "registers"))
		for (const struct json *r = json_get(guest, "registers")->first; r; r = r->next)
			*register_named(&regs, r->key) = json_number(r, 0);
	must_ioctl(&g->m, g->m.vcpu_fd, KVM_SET_REGS, &regs);
}

static void print_bytes(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		printf("%s%02x", i ? "" : " ", data[i]);
	putchar('\n');
}

static void give_in(struct guest_run *g, uint8_t *data, size_t size, uint16_t port)
{
	for (size_t i = 0; i < size; i++)
		data[i] = port == 0x3fd ? 0x20 : 0xa0 + 7 * g->in_bytes++;
}

static void take_out(struct guest_run *g, const uint8_t *data, size_t size, uint16_t port)
{
	uint32_t value = 0;

	memcpy(&value, data, size < 4 ? size : 4);
	switch (port) {
	case 0x3f8:
		if (g->output_length + size >= MAX_OUTPUT)
			die("the guest prints more than %d bytes", MAX_OUTPUT);
		memcpy(g->output + g->output_length, data, size);
		g->output_length += size;
		break;
	case 0xf4:
		g->status = value;
		g->end = "status";
		break;
	case 0xe0:
		if (g->queued == MAX_QUEUE)
			die("the guest asks for more than %d interrupts", MAX_QUEUE);
		g->queue[g->queued++] = value;
		break;
	case 0xe1:
		must_ioctl(&g->m, g->m.vcpu_fd, KVM_NMI, 0);
		break;
	}
}

static void handle_io(struct guest_run *g)
{
	struct kvm_run *run = g->m.run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	size_t size = (size_t)run->io.size * run->io.count;

	g->io++;
	if (run->io.direction == KVM_EXIT_IO_IN)
		give_in(g, data, size, run->io.port);
	else
		take_out(g, data, size, run->io.port);
	if (g->trace) {
		printf("  io %s port %#x size %u count %u data", run->io.direction ? "out" : "in", run->io.port,
		       run->io.size, run->io.count);
		print_bytes(data, size);
	}
}

static void handle_mmio(struct guest_run *g)
{
	struct kvm_run *run = g->m.run;

	g->mmio++;
	if (!run->mmio.is_write)
		for (uint32_t i = 0; i < run->mmio.len; i++) {
			uint64_t gpa = run->mmio.phys_addr + i;

			run->mmio.data[i] = gpa ^ gpa >> 8 ^ 0x5a;
		}
	if (g->trace) {
		printf("  mmio %s %#llx", run->mmio.is_write ? "write" : "read", (unsigned long long)run->mmio.phys_addr);
		print_bytes(run->mmio.data, run->mmio.len);
	}
}


// One exit. Sets g->end when it ends the run.
static void handle_exit(struct guest_run *g)
{
	struct kvm_run *run = g->m.run;

	if (g->trace && run->exit_reason != KVM_EXIT_IO && run->exit_reason != KVM_EXIT_MMIO)
		printf("  exit reason %u\n", run->exit_reason);
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(g);
		break;
	case KVM_EXIT_MMIO:
		handle_mmio(g);
		break;
	case KVM_EXIT_HLT:
		g->hlt++;
		if (g->taken == g->queued)
			g->end = "hlt";
		break;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR:
		break;
	case KVM_EXIT_SHUTDOWN:
		g->end = "shutdown";
		break;
	case KVM_EXIT_FAIL_ENTRY:
		g->end = "fail_entry";
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		g->end = "internal_error";
		break;
	default:
		g->end = "unknown";
	}
}

static void run_until_end(struct guest_run *g)
{
	struct kvm_run *run = g->m.run;

	kicked = run;
	alarm(SECONDS);
	for (unsigned int exits = 0; !g->end; exits++) {
		if (exits == MAX_EXITS) {
			g->end = "limit";
			break;
		}
		if (g->taken < g->queued && run->ready_for_interrupt_injection) {
			struct kvm_interrupt interrupt = { .irq = g->queue[g->taken] };

			must_ioctl(&g->m, g->m.vcpu_fd, KVM_INTERRUPT, &interrupt);
			g->taken++;
		}
		run->request_interrupt_window = g->taken < g->queued;
		if (ioctl(g->m.vcpu_fd, KVM_RUN, 0) < 0) {
			if (errno != EINTR)
				die_errno("KVM_RUN on %s", g->m.device);
			g->end = "timeout";
			break;
		}
		handle_exit(g);
	}
	alarm(0);
	kicked = NULL;
}

// What is wrong, or NULL.
static const char *verdict(struct guest_run *g, const struct json *expect)
{
	static char text[2 * MAX_OUTPUT];
	const struct json *exits = json_get(expect, "exits");
	const char *end = json_string(json_get(expect, "end"), "");
	const char *output = json_string(json_get(expect, "output"), NULL);
	const struct { const char *name; unsigned int count; } counts[] = {
		{ "io", g->io }, { "mmio", g->mmio }, { "hlt", g->hlt },
	};
	struct kvm_regs regs;

	g->output[g->output_length] = 0;
	if (strcmp(end, g->end)) {
		must_ioctl(&g->m, g->m.vcpu_fd, KVM_GET_REGS, &regs);
		snprintf(text, sizeof(text), "ends by %s (exit reason %u, first word of its data %#x, rip %#llx), expected %s; it printed \"%s\"",
			 g->end, g->m.run->exit_reason, g->m.run->internal.suberror, (unsigned long long)regs.rip, end, g->output);
		return text;
	}
	if (json_get(expect, "status") && json_number(json_get(expect, "status"), 0) != g->status) {
		snprintf(text, sizeof(text), "status %#x", g->status);
		return text;
	}
	if (output && strcmp(output, g->output)) {
		snprintf(text, sizeof(text), "printed \"%s\", expected \"%s\"", g->output, output);
		return text;
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		uint64_t wanted = json_number(json_get(exits, counts[i].name), counts[i].count);

		if (wanted != counts[i].count) {
			snprintf(text, sizeof(text), "%u %s exits, expected %llu", counts[i].count, counts[i].name,
				 (unsigned long long)wanted);
			return text;
		}
	}
	must_ioctl(&g->m, g->m.vcpu_fd, KVM_GET_REGS, &regs);
	if (json_get(expect, "registers"))
		for (const struct json *r = json_get(expect, "registers")->first; r; r = r->next)
			if (*register_named(&regs, r->key) != json_number(r, 0)) {
				snprintf(text, sizeof(text), "%s is %#llx, expected %#llx", r->key,
					 (unsigned long long)*register_named(&regs, r->key),
					 (unsigned long long)json_number(r, 0));
				return text;
			}
	return NULL;
}

// The first feature in "requires" that the device does not offer, or NULL.
static const char *lacking(const struct machine *m, const struct json *guest)
{
	static const struct { const char *name; uint32_t leaf; int reg, bit; } features[] = {
		{ "avx", 1, 2, 28 }, { "xsave", 1, 2, 26 }, { "monitor", 1, 2, 3 }, { "pcid", 1, 2, 17 },
		{ "fsgsbase", 7, 1, 0 }, { "smep", 7, 1, 7 }, { "smap", 7, 1, 20 }, { "invpcid", 7, 1, 10 },
		{ "rdtscp", 0x80000001, 3, 27 },
	};
	const struct json *requires = json_get(guest, "requires");

	for (const struct json *f = requires ? requires->first : NULL; f; f = f->next) {
		size_t i, n = sizeof(features) / sizeof(*features);
		for (i = 0; i < n && strcmp(features[i].name, f->string); i++)
			;
		if (i == n)
			die("\"requires\" names \"%s\", which run_guest does not know", f->string);
		if (!machine_offers(m, features[i].leaf, features[i].reg, features[i].bit))
			return f->string;
	}
	return NULL;
}

// The device leaves instructions on MMIO to user space, and this guest is there to have some: no interpreter is here.
static bool leaves_instructions(const struct guest_run *g, const struct json *guest)
{
	const struct json *finished = json_get(guest, "finished_by_vmm");

	return finished && finished->boolean && !strcmp(g->end, "internal_error") &&
	       g->m.run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION;
}

static void tear_down(struct guest_run *g)
{
	machine_close(&g->m);
	for (int i = 0; i < g->n_blocks; i++)
		munmap(g->blocks[i].memory, g->blocks[i].size);
}

static bool run_one(const struct json *table, const char *path, const char *device, bool trace)
{
	char name[64];
	const struct json *guest = json_get(table, "guests")->first;

	snprintf(name, sizeof(name), "%s", basename(strdupa(path)));
	if (strrchr(name, '.'))
		*strrchr(name, '.') = 0;
	while (guest && strcmp(json_string(json_get(guest, "name"), ""), name))
		guest = guest->next;
	if (!guest)
		die("guests.json beside %s has no guest \"%s\"", path, name);

	static struct guest_run g;
	const char *missing;

	memset(&g, 0, sizeof(g));
	g.trace = trace;
	machine_open(&g.m, device);
	missing = lacking(&g.m, guest);
	if (missing) {
		printf("skip\t%s\tneeds %s, which %s does not offer\n", name, missing, device);
		tear_down(&g);
		return true;
	}
	set_up(&g, guest, path);
	run_until_end(&g);
	if (leaves_instructions(&g, guest)) {
		printf("skip\t%s\tits instructions on MMIO are for a VMM to finish, as `likex run` does\n", name);
		tear_down(&g);
		return true;
	}

	const char *wrong = verdict(&g, json_get(guest, "expect"));

	if (wrong)
		printf("FAIL\t%s\t%s\n", name, wrong);
	else
		printf("ok\t%s\tends by %s after io %u, mmio %u, hlt %u\n", name, g.end, g.io, g.mmio, g.hlt);
	fflush(stdout);
	tear_down(&g);
	return !wrong;
}

int main(int argc, char **argv)
{
	const char *device = "/dev/kvm";
	bool trace = false, usage = argc == 1;
	int option, failed = 0;

	while ((option = getopt(argc, argv, "d:th")) != -1)
		switch (option) {
		case 'd': device = optarg; break;
		case 't': trace = true; break;
		default: usage = true;
		}
	if (usage || optind == argc) {
		fprintf(stderr, "usage: run_guest [-d DEVICE] [-t] GUEST.bin ...\n"
				"  Runs each guest as guests.json beside it says, on DEVICE (%s unless told); -t prints each exit.\n"
				"  Ends with 0 when all did what the table expects.\n", device);
		return 2;
	}
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	for (int i = optind; i < argc; i++) {
		char beside[4096];

		snprintf(beside, sizeof(beside), "%s/guests.json", dirname(strdupa(argv[i])));
		failed += !run_one(json_read(beside), argv[i], device, trace);
	}
	return failed ? 1 : 0;
}
