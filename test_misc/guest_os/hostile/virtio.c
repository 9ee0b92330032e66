// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A driver that sets its device up nearly as it should and then hands it rings that nobody should trust. Virtio 1.2, 2.7, 2.8 and 4.2.2.
#include "machine.h"

enum { MAGIC = 0x00, DEVICE_ID = 0x08, DEVICE_FEATURES = 0x10, DEVICE_SELECT = 0x14, DRIVER_FEATURES = 0x20, DRIVER_SELECT = 0x24,
	QUEUE_SELECT = 0x30, QUEUE_MAX = 0x34, QUEUE_SIZE = 0x38, QUEUE_READY = 0x44, NOTIFY = 0x50, ACKNOWLEDGE = 0x64, STATUS = 0x70,
	DESCRIPTORS = 0x80, DRIVER = 0x90, DEVICE = 0xa0, CONFIGURATION = 0x100 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4, PACKED_AVAILABLE = 1 << 7, PACKED_USED = 1 << 15 };
enum { NET = 1, BLOCK = 2, BALLOON = 5, VSOCK = 19 };
enum { MOST_QUEUES = 4, LONGEST_CHAIN = 6 };
#define INDIRECT_DESCRIPTORS (1ull << 28)
#define VERSION_1 (1ull << 32)
#define PACKED_RING (1ull << 34)

struct descriptor {
	u64 address;
	u32 length;
	// Split: flags, next. Packed: the buffer's identifier, flags.
	u16 third, fourth;
};

struct queue {
	u32 number, size;
	u64 descriptors, driver, device;
	u16 next, available;
	bool wraps;
};

struct driver {
	u64 window, features;
	u32 id, queue_count;
	struct queue queues[MOST_QUEUES];
};

// How seldom a session breaks a rule: a device that has given up sees nothing of what comes after.
static u64 calm;

static bool bad(u64 count) { return one_in(count * calm); }

// A device that writes there for long must not reach this program behind the arena: short, or longer than RAM.
static u32 any_length(void)
{
	switch (below(8)) {
	case 0: return 0;
	case 1: return below(17);
	case 2: return below(65536);
	case 3: return one_in(8) ? (u32)rnd() | 1u << 31 : 4096;
	default: return below(2048);
	}
}

static u64 any_address(void)
{
	return bad(24) ? bad_address() : arena_address(one_in(4) ? 1 : 16);
}

// What a request of this device starts with, in its first buffer.
static u32 write_header(const struct driver *driver, u64 at)
{
	volatile u32 *words = (volatile u32 *)at;
	static const u32 block_types[] = { 0, 1, 4, 8, 11, 13, 0, 1 };

	for (u32 i = 0; i < 16; i++)
		words[i] = one_in(4) ? rnd() : 0;
	switch (driver->id) {
	case BLOCK:
		words[0] = bad(16) ? rnd() : block_types[below(8)];
		words[2] = bad(16) ? rnd() : below(20000);
		words[3] = bad(16) ? rnd() : 0;
		return 16;
	case NET: return 12 + below(1500);
	case VSOCK:
		words[0] = bad(16) ? rnd() : 3, words[1] = 0;
		words[2] = bad(16) ? rnd() : 2, words[3] = 0;
		words[4] = bad(2) ? rnd() : 1000 + below(64);
		words[5] = bad(2) ? rnd() : 1234;
		words[6] = bad(2) ? rnd() : one_in(2) ? 0 : below(2048);
		words[7] = (bad(16) ? rnd() : one_in(2) ? 1 : 1 + below(7)) << 16 | (bad(16) ? below(65536) : 1);
		words[9] = bad(2) ? rnd() : 65536;
		words[10] = bad(2) ? rnd() : below(65536);
		return bad(2) ? below(64) : 44;
	case BALLOON:
		for (u32 i = 0; i < 64; i++)
			words[i] = bad(8) ? rnd() | 1 << 20 : arena_address(4096) >> 12;
		return 4 * below(65);
	default: return below(2048);
	}
}

// The parts of one request, nearly as the device wants them.
static u32 make_request(const struct driver *driver, const struct queue *queue, struct descriptor *parts, u16 *flags)
{
	u32 count = 1 + below(LONGEST_CHAIN);
	bool is_input = (driver->id == NET || driver->id == VSOCK) && queue->number == 0;

	if (driver->id == BLOCK && !bad(2))
		count = 3;
	for (u32 i = 0; i < count; i++) {
		parts[i].address = any_address();
		parts[i].length = driver->id == BLOCK && !bad(2) ? 512 * below(9) : any_length();
		// What the device reads goes before what it writes.
		flags[i] = is_input || one_in(3) || (i && flags[i - 1] & WRITE) ? WRITE : 0;
		if (bad(16))
			flags[i] ^= WRITE;
	}
	if (!is_input) {
		parts[0].address = arena_address(16);
		parts[0].length = write_header(driver, parts[0].address);
		flags[0] = bad(16) ? WRITE : 0;
	}
	if (driver->id == BLOCK && count > 1 && !bad(4)) {
		parts[count - 1].length = 1;
		flags[count - 1] = WRITE;
	}
	return count;
}

static void make_table(const struct driver *driver, const struct queue *queue, struct descriptor *to);

static bool is_indirect(const struct driver *driver, u32 index)
{
	return bad(16) || (index == 0 && driver->features & INDIRECT_DESCRIPTORS && one_in(4));
}

static u16 hostile_flags(u16 flags) { return bad(16) ? flags ^ 1 << below(16) : flags; }

static void put_split(struct driver *driver, struct queue *queue)
{
	struct descriptor parts[LONGEST_CHAIN];
	u16 flags[LONGEST_CHAIN], head = below(queue->size), index = head;
	u32 count = make_request(driver, queue, parts, flags);

	for (u32 i = 0; i < count; i++) {
		volatile struct descriptor *to = (volatile struct descriptor *)(queue->descriptors + 16 * index);
		u16 next = bad(16) ? rnd() : bad(16) ? head : (index + 1) % queue->size;
		bool is_last = i + 1 == count;

		to->address = parts[i].address;
		to->length = parts[i].length;
		to->third = hostile_flags(flags[i] | (is_last ? 0 : NEXT));
		to->fourth = next;
		if (is_indirect(driver, i)) {
			to->address = arena_address(16);
			to->length = bad(16) ? any_length() : 16 * (1 + below(16));
			to->third = INDIRECT | (bad(16) ? NEXT | WRITE : 0);
			make_table(driver, queue, (struct descriptor *)to->address);
			break;
		}
		if (is_last || next >= queue->size)
			break;
		index = next;
	}
	*(volatile u16 *)(queue->driver + 4 + 2 * (queue->available % queue->size)) = bad(16) ? rnd() : head;
	queue->available += bad(64) ? rnd() : 1;
	*(volatile u16 *)queue->driver = bad(8) ? rnd() : 0;
	*(volatile u16 *)(queue->driver + 4 + 2 * queue->size) = queue->available - below(3);
	asm volatile("" : : : "memory");
	*(volatile u16 *)(queue->driver + 2) = queue->available;
}

static void put_packed(struct driver *driver, struct queue *queue)
{
	struct descriptor parts[LONGEST_CHAIN];
	u16 flags[LONGEST_CHAIN];
	u32 count = make_request(driver, queue, parts, flags);

	for (u32 i = 0; i < count; i++) {
		volatile struct descriptor *to = (volatile struct descriptor *)(queue->descriptors + 16 * queue->next);
		u16 wrap = queue->wraps ? PACKED_USED : PACKED_AVAILABLE;

		to->address = parts[i].address;
		to->length = parts[i].length;
		to->third = bad(8) ? rnd() : queue->next;
		if (is_indirect(driver, i)) {
			to->address = arena_address(16);
			to->length = bad(16) ? any_length() : 16 * (1 + below(16));
			flags[i] = INDIRECT | (bad(16) ? WRITE : 0);
			make_table(driver, queue, (struct descriptor *)to->address);
			count = bad(4) ? count : i + 1;
		}
		asm volatile("" : : : "memory");
		to->fourth = hostile_flags(flags[i] | (i + 1 == count ? 0 : NEXT) | wrap);
		if (++queue->next >= queue->size) {
			queue->next = 0;
			queue->wraps = !queue->wraps;
		}
	}
	*(volatile u32 *)queue->driver = one_in(4) ? rnd() : below(3) << 16;
}

// An indirect table of either kind of ring, with tables in it that it must not have.
static void make_table(const struct driver *driver, const struct queue *queue, struct descriptor *to)
{
	struct descriptor parts[LONGEST_CHAIN];
	u16 flags[LONGEST_CHAIN];
	u32 count = make_request(driver, queue, parts, flags);
	bool is_packed = driver->features & PACKED_RING;

	for (u32 i = 0; i < 16; i++) {
		u16 flag = i < count ? flags[i] | (i + 1 == count ? 0 : NEXT) : rnd() & 7;

		flag = bad(64) ? flag | INDIRECT : flag;
		to[i].address = i < count ? parts[i].address : any_address();
		to[i].length = i < count ? parts[i].length : any_length();
		to[i].third = is_packed ? i : flag;
		to[i].fourth = is_packed ? flag : bad(16) ? rnd() : i + 1;
	}
}

static void put(struct driver *driver, u32 offset, u64 value)
{
	store32(driver->window + offset, value);
}

static void put_address(struct driver *driver, u32 offset, u64 value)
{
	put(driver, offset, value);
	put(driver, offset + 4, value >> 32);
}

static u64 negotiate(struct driver *driver)
{
	u64 offered = 0, wanted;

	for (u32 half = 0; half < 2; half++) {
		put(driver, DEVICE_SELECT, half);
		offered |= (u64)load32(driver->window + DEVICE_FEATURES) << 32 * half;
	}
	wanted = offered & (one_in(2) ? ~PACKED_RING : ~0ull);
	if (one_in(4))
		wanted = (wanted & rnd()) | VERSION_1;
	if (bad(16))
		wanted = rnd();
	for (u32 half = 0; half < 2; half++) {
		put(driver, DRIVER_SELECT, half);
		put(driver, DRIVER_FEATURES, wanted >> 32 * half);
	}
	return wanted;
}

static void set_up_queue(struct driver *driver, u32 number)
{
	struct queue *queue = &driver->queues[number];
	u32 most;

	put(driver, QUEUE_SELECT, number);
	most = load32(driver->window + QUEUE_MAX);
	*queue = (struct queue){ .number = number, .size = most, .wraps = false };
	if (!most)
		return;
	if (one_in(2))
		queue->size = 1 + below(most);
	// A split ring's is a power of two, which has one bit.
	while (!(driver->features & PACKED_RING) && queue->size & (queue->size - 1))
		queue->size &= queue->size - 1;
	if (bad(16))
		queue->size = 1 + below(0x8000);
	queue->descriptors = arena_address(16);
	queue->driver = bad(16) ? queue->descriptors + 16 * below(64) : arena_address(4);
	queue->device = bad(16) ? queue->driver + 4 * below(64) : arena_address(4);
	memset((void *)queue->descriptors, 0, 16 * 256);
	memset((void *)queue->driver, 0, 1024);
	memset((void *)queue->device, 0, 4096);
	put(driver, QUEUE_SIZE, queue->size);
	put_address(driver, DESCRIPTORS, bad(32) ? bad_address() : queue->descriptors);
	put_address(driver, DRIVER, bad(32) ? bad_address() : queue->driver);
	put_address(driver, DEVICE, bad(32) ? bad_address() : queue->device);
	put(driver, QUEUE_READY, 1);
	driver->queue_count = number + 1;
}

static void set_up(struct driver *driver)
{
	if (!bad(16))
		put(driver, STATUS, 0);
	put(driver, STATUS, 1);
	put(driver, STATUS, 3);
	driver->features = negotiate(driver);
	put(driver, STATUS, 11);
	for (u32 i = 0; i < MOST_QUEUES; i++)
		if (!bad(8))
			set_up_queue(driver, i);
	put(driver, STATUS, bad(16) ? rnd() : 15);
}

// Whatever is in a ring is not what it was.
static void spoil(const struct queue *queue)
{
	const u64 places[] = { queue->descriptors, queue->driver, queue->device };
	u64 address = places[below(3)] + below(16 * 64);

	if (one_in(2))
		*(volatile u8 *)address ^= 1 << below(8);
	else
		*(volatile u64 *)(address & ~7ull) = one_in(2) ? any_address() : rnd() | 1ull << 40;
}

static void use(struct driver *driver)
{
	struct queue *queue = &driver->queues[below(driver->queue_count)];
	u32 count = one_in(16) ? below(64) : below(4);

	if (!queue->size)
		return;
	for (u32 i = 0; i < count; i++) {
		if (driver->features & PACKED_RING)
			put_packed(driver, queue);
		else
			put_split(driver, queue);
	}
	if (bad(8))
		spoil(queue);
	put(driver, NOTIFY, bad(8) ? rnd() : queue->number);
	if (one_in(4))
		put(driver, ACKNOWLEDGE, 3);
}

static void poke_registers(struct driver *driver)
{
	switch (below(4)) {
	case 0: poke_memory(driver->window + below(0x1010) - 8); break;
	case 1: poke_memory(driver->window + CONFIGURATION + below(64)); break;
	default: poke_memory(driver->window + 4 * below(64));
	}
}

void virtio_session(u64 window)
{
	struct driver driver = { .window = window, .id = load32(window + DEVICE_ID) };
	u32 steps = 8 + below(120);

	calm = 1ull << 2 * below(5);
	if (one_in(8)) {
		for (u32 i = 0; i < steps; i++)
			poke_registers(&driver);
		return;
	}
	set_up(&driver);
	for (u32 i = 0; i < steps && driver.queue_count; i++) {
		if (bad(16))
			poke_registers(&driver);
		else
			use(&driver);
		// A device that has given up does nothing until it is reset.
		if (load32(window + STATUS) & 0x40 && !one_in(8))
			break;
	}
}
