// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Single accesses: of memory-mapped registers, of the interrupt controllers, of nothing at all, and of ports.
#include "machine.h"

// Within the arena there is always room for 64 KiB behind it.
u64 arena_address(u64 alignment)
{
	return (ARENA + below(ARENA_END - ARENA)) & ~(alignment - 1);
}

// No memory, or memory that ends too soon.
u64 bad_address(void)
{
	static const u64 edges[] = { RAM_END, 0xc0000000, 1ull << 32, 1ull << 40, 1ull << 52, 1ull << 63, 0, VIRTIO, IOAPIC, LAPIC };

	switch (below(4)) {
	case 0: return RAM_END + below(1 << 20);
	case 1: return rnd() | 1ull << 32;
	default: return edges[below(sizeof(edges) / sizeof(edges[0]))] - below(64);
	}
}

static u64 any_value(void)
{
	switch (below(6)) {
	case 0: return below(256);
	case 1: return 1ull << below(64);
	case 2: return (1ull << below(64)) - 1;
	case 3: return arena_address(16);
	case 4: return bad_address();
	default: return rnd();
	}
}

// SMI, INIT and start-up: what they do to this program is its end.
static bool is_deadly_message(u64 value)
{
	return 1u << (value >> 8 & 7) & (1 << 2 | 1 << 5 | 1 << 6);
}

static u64 value_for(u64 address, u32 size)
{
	u64 value = any_value();
	bool is_apic = (address >= IOAPIC - 64 && address < IOAPIC + 0x1000) || (address >= LAPIC - 64 && address < LAPIC + 0x1000);

	if (is_apic && (size != 4 || address & 3 || is_deadly_message(value)))
		return one_in(2) ? 0 : ~0ull;
	return value;
}

static void store(u64 address, u32 size)
{
	u64 value = value_for(address, size);

	switch (size) {
	case 1: *(volatile u8 *)address = value; break;
	case 2: *(volatile u16 *)address = value; break;
	case 4: *(volatile u32 *)address = value; break;
	default: *(volatile u64 *)address = value;
	}
}

static void load(u64 address, u32 size)
{
	switch (size) {
	case 1: (void)*(volatile u8 *)address; break;
	case 2: (void)*(volatile u16 *)address; break;
	case 4: (void)*(volatile u32 *)address; break;
	default: (void)*(volatile u64 *)address;
	}
}

// Instructions that a VMM finishes in its interpreter, if its kernel doesn't know them.
static void poke_rarely(u64 address)
{
	u64 value = value_for(address, 8), count = 1 + below(16), at = address;
	u64 buffer[16];

	switch (below(8)) {
	case 0: asm volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(value) : "memory"); break;
	case 1: asm volatile("rep stosl" : "+D"(at), "+c"(count) : "a"(value) : "memory"); break;
	case 2: {
		u64 to = (u64)buffer;

		asm volatile("rep movsb" : "+D"(to), "+S"(at), "+c"(count) : : "memory");
		break;
	}
	case 3: asm volatile("orl %1, %0" : "+m"(*(volatile u32 *)address) : "r"(0) : "memory"); break;
	case 4: asm volatile("testl %1, %0" : : "m"(*(volatile u32 *)address), "r"((u32)value) : "memory", "cc"); break;
	case 5: asm volatile("cmpq %1, %0" : : "m"(*(volatile u64 *)address), "r"(value) : "memory", "cc"); break;
	case 6: asm volatile("movzbl %1, %%eax" : : "i"(0), "m"(*(volatile u8 *)address) : "eax", "memory"); break;
	case 7: asm volatile("std; rep lodsw; cld" : "+S"(at), "+c"(count) : : "rax", "memory"); break;
	}
}

void poke_memory(u64 address)
{
	u32 size = 1 << below(4);

	switch (below(16)) {
	case 0: poke_rarely(address); break;
	case 1 ... 7: load(address, size); break;
	default: store(address, size);
	}
}

void poke_apics(void)
{
	u64 base = one_in(2) ? IOAPIC : LAPIC;

	switch (below(4)) {
	case 0: poke_memory(base + below(0x1010) - 8); break;
	case 1: store(base + below(0x40) * 16, 4); break;
	default:
		// One of the I/O APIC's registers, by index and data.
		store32(IOAPIC, one_in(8) ? rnd() : below(0x44));
		store(IOAPIC + 0x10, 4);
	}
}

// Between the end of RAM and the devices, and beyond 4 GiB. No device: RAM_END..VIRTIO has none.
void poke_unbacked(void)
{
	switch (below(4)) {
	case 0: poke_memory(map_high(rnd() | 1ull << 32)); break;
	case 1: poke_memory(0xfee01000 + below(0x100000)); break;
	case 2: poke_memory(VIRTIO + 0x10000 + below(1 << 24)); break;
	default: poke_memory(RAM_END + 4096 + below(VIRTIO - RAM_END - 8192));
	}
}

// What would reset the machine or power it off: i8042, ACPI's registers, the chip set's reset.
static bool is_deadly_byte(u16 port, u8 value)
{
	switch (port) {
	case 0x64: return value >= 0xf0 || value == 0xd1;
	case 0x600: return value & 0x20;
	case 0x602: return value == 1;
	case 0xcf9: return value & 4;
	default: return false;
	}
}

static bool is_deadly(u16 port, u32 size, u32 value)
{
	for (u32 i = 0; i < size; i++)
		if (is_deadly_byte(port + i, value >> 8 * i))
			return true;
	return false;
}

static bool is_near_deadly(u16 port)
{
	return (port >= 0x5d && port <= 0x64) || (port >= 0x5fd && port <= 0x602) || (port >= 0xcf6 && port <= 0xcf9);
}

static void poke_string(u16 port)
{
	static u32 buffer[1024];
	u64 count = one_in(8) ? below(1024) : below(32);
	void *at = buffer;

	if (is_near_deadly(port))
		return;
	switch (below(5)) {
	case 0: asm volatile("rep insb" : "+D"(at), "+c"(count) : "d"(port) : "memory"); break;
	case 1: asm volatile("rep insl" : "+D"(at), "+c"(count) : "d"(port) : "memory"); break;
	case 2: asm volatile("rep outsb" : "+S"(at), "+c"(count) : "d"(port) : "memory"); break;
	case 3: asm volatile("rep outsw" : "+S"(at), "+c"(count) : "d"(port) : "memory"); break;
	case 4: asm volatile("rep outsl" : "+S"(at), "+c"(count) : "d"(port) : "memory"); break;
	}
}

void poke_ports(void)
{
	static const u16 known[] = { 0x20, 0x40, 0x60, 0x64, 0x70, 0x71, 0x80, 0xa0, 0x3f8, 0x600, 0xcf8, 0xcfc, 0xfffc };
	u16 port = one_in(3) ? rnd() : known[below(sizeof(known) / sizeof(known[0]))] + below(8);
	u32 size = 1 << below(3), value = any_value();

	if (one_in(8))
		return poke_string(port);
	if (one_in(2)) {
		switch (size) {
		case 1: in8(port); break;
		case 2: asm volatile("inw %%dx, %%ax" : : "d"(port) : "eax", "memory"); break;
		default: asm volatile("inl %%dx, %%eax" : : "d"(port) : "eax", "memory");
		}
		return;
	}
	if (is_deadly(port, size, value))
		return;
	switch (size) {
	case 1: out8(port, value); break;
	case 2: out16(port, value); break;
	default: out32(port, value);
	}
}
