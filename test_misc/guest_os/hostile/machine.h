// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What all of a hostile guest uses: its addresses (Sources/Boot/Layout.swift), random numbers, and the few instructions that C doesn't have.
#ifndef HOSTILE_MACHINE_H
#define HOSTILE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define RAM_END 0x2000000ull		// as --memory 32M makes it; this program is in its last 6 MiB
#define ARENA 0x400000ull		// what devices are given to read and write, unless they are given worse
#define ARENA_END 0x1800000ull
#define VIRTIO 0xd0000000ull
#define VIRTIO_SIZE 0x1000ull
#define IOAPIC 0xfec00000ull
#define LAPIC 0xfee00000ull
#define HIGH_WINDOW 0x100000000ull	// linear: 2 MiB of physical addresses beyond 4 GiB, see map_high

// Xorshift64*: Marsaglia, "Xorshift RNGs".
u64 rnd(void);
void seed_rnd(u64 seed);
static inline u64 below(u64 limit) { return rnd() % limit; }
static inline bool one_in(u64 count) { return below(count) == 0; }

static inline u64 tsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

static inline void out8(u16 port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline void out16(u16 port, u16 value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline void out32(u16 port, u32 value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory"); }

static inline u8 in8(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline u32 load32(u64 address) { return *(volatile u32 *)address; }
static inline void store32(u64 address, u32 value) { *(volatile u32 *)address = value; }

void *memset(void *to, int value, size_t count);
u64 map_high(u64 physical);

// pokes.c: one access each, random but for where it is and for what would end the machine.
void poke_memory(u64 address);
void poke_apics(void);
void poke_unbacked(void);
void poke_ports(void);
u64 bad_address(void);
u64 arena_address(u64 alignment);

// virtio.c: one life of the device in this window, from its reset on.
void virtio_session(u64 window);

#endif
