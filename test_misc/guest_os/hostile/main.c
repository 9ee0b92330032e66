// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A guest without an operating system that does to its machine what no driver would, for test_misc/lab/scripts/hostile_guest.sh. Its command line:
//   device=N|ports|mmio|all  the number of a virtio device, what isn't virtio, or each in turn
//   seed=N  ticks=N          how long, in millions of the TSC's
// It tells what it did on the serial line and powers off. What it does to itself by mistake ends in a triple fault.
#include "machine.h"

enum { SERIAL = 0x3f8, SLEEP_CONTROL = 0x600, POWER_OFF = 0x34, COMMAND_LINE = 0x228 };
enum { PORTS = 1000, MMIO, ALL, MOST_DEVICES = 16 };

struct idt_entry {
	u16 offset_low, selector;
	u16 attributes, offset_middle;
	u32 offset_high, reserved;
};

extern const u8 vectors[];
static struct idt_entry idt[32];
static u64 pml4[512] __attribute__((aligned(4096)));
static u64 pdpt[512] __attribute__((aligned(4096)));
static u64 low_tables[4][512] __attribute__((aligned(4096)));
static u64 high_table[512] __attribute__((aligned(4096)));
static u64 state;

void *memset(void *to, int value, size_t count)
{
	void *at = to;

	asm volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(value) : "memory");
	return to;
}

void seed_rnd(u64 seed)
{
	state = (seed + 1) * 0x9e3779b97f4a7c15;
}

u64 rnd(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

// What was done to the UART is undone first. Its transmitter is never waited for for long: it may be what is broken.
static void prepare_serial(void)
{
	out8(SERIAL + 3, 0x03);
	out8(SERIAL + 1, 0);
	out8(SERIAL + 2, 0);
	out8(SERIAL + 4, 0x03);
}

static void say(const char *text)
{
	for (; *text; text++) {
		for (u32 tries = 0; tries < 100000 && !(in8(SERIAL + 5) & 0x20); tries++)
			;
		out8(SERIAL, *text);
	}
}

static void say_number(u64 value, u32 base)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = 0;
	do {
		*--at = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	say(at);
}

static _Noreturn void triple_fault(void)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) none = { 0, 0 };

	asm volatile("lidt %0; ud2" : : "m"(none));
	__builtin_unreachable();
}

_Noreturn void hostile_exception(u64 vector, u64 first, u64 second, u64 cr2)
{
	prepare_serial();
	say("\nhostile: exception ");
	say_number(vector, 10);
	say(", stack ");
	say_number(first, 16);
	say(" ");
	say_number(second, 16);
	say(", CR2 ");
	say_number(cr2, 16);
	say("\n");
	triple_fault();
}

static void load_idt(void)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) pointer = { sizeof(idt) - 1, (u64)idt };

	for (u32 i = 0; i < 32; i++) {
		u64 handler = (u64)vectors + 32 * i;

		idt[i] = (struct idt_entry){ .offset_low = handler, .selector = 0x10, .attributes = 0x8e00,
			.offset_middle = handler >> 16, .offset_high = handler >> 32 };
	}
	asm volatile("lidt %0" : : "m"(pointer));
}

// The loader's page tables are in memory that devices may be told to write.
static void load_page_tables(void)
{
	for (u64 i = 0; i < 4; i++) {
		for (u64 j = 0; j < 512; j++)
			low_tables[i][j] = i << 30 | j << 21 | 0x83;
		pdpt[i] = (u64)low_tables[i] | 3;
	}
	pdpt[4] = (u64)high_table | 3;
	pml4[0] = (u64)pdpt | 3;
	asm volatile("mov %0, %%cr3" : : "r"(pml4) : "memory");
}

u64 map_high(u64 physical)
{
	high_table[0] = (physical & 0x0000007fffe00000) | 0x83;
	asm volatile("invlpg (%0)" : : "r"(HIGH_WINDOW) : "memory");
	return HIGH_WINDOW | (physical & 0x1fffff);
}

static const char *find(const char *line, const char *name)
{
	for (; *line; line++) {
		const char *a = line, *b = name;

		while (*b && *a == *b)
			a++, b++;
		if (!*b)
			return a;
	}
	return "";
}

static u64 number(const char *text)
{
	u64 value = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		value = 10 * value + *text - '0';
	return value;
}

static u32 which_device(const char *line)
{
	switch (*find(line, "device=")) {
	case 'p': return PORTS;
	case 'm': return MMIO;
	case 'a': return ALL;
	default: return number(find(line, "device="));
	}
}

static u32 count_devices(void)
{
	u32 count = 0;

	while (count < MOST_DEVICES && load32(VIRTIO + count * VIRTIO_SIZE) == 0x74726976)
		count++;
	return count;
}

static void play(u32 device, u32 count)
{
	if (device == ALL) {
		u32 choice = below(count + 2);

		device = choice < count ? choice : PORTS + choice - count;
	}
	switch (device) {
	case PORTS:
		for (u32 i = 0; i < 64; i++)
			poke_ports();
		break;
	case MMIO:
		for (u32 i = 0; i < 32; i++)
			poke_apics(), poke_unbacked();
		break;
	default:
		virtio_session(VIRTIO + device * VIRTIO_SIZE);
	}
}

void hostile_main(u64 boot_params)
{
	const char *line = (const char *)(u64)load32(boot_params + COMMAND_LINE);
	u32 device = which_device(line);
	u64 seed = number(find(line, "seed=")), ticks = number(find(line, "ticks=")) * 1000000;
	u64 start = tsc(), rounds = 0;
	u32 count;

	load_idt();
	load_page_tables();
	count = count_devices();
	seed_rnd(seed);
	prepare_serial();
	say("hostile: ");
	say_number(count, 10);
	say(" devices\n");
	if (device < PORTS && device >= count) {
		say("hostile: there is no such device\n");
		triple_fault();
	}
	for (; tsc() - start < ticks; rounds++)
		play(device, count);
	prepare_serial();
	say("\nhostile: device ");
	if (device < PORTS)
		say_number(device, 10);
	else
		say(device == PORTS ? "ports" : device == MMIO ? "mmio" : "all");
	say(", seed ");
	say_number(seed, 10);
	say(", rounds ");
	say_number(rounds, 10);
	say("\n");
	out8(SLEEP_CONTROL, POWER_OFF);
}
