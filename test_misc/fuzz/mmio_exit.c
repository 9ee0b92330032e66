// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A guest on the tests' fake processor runs into the instruction: physical memory is RAM up to 16 KiB, and devices. In 64-bit mode it has page tables
 * of 1 GiB pages, by which each linear address is the physical one with the same low 39 bits; the other modes are without paging. The
 * tables have RAM of their own, where no code of the guest is.
 */
#include "fake.h"
#include "mmio_fuzz.h"

#include <string.h>

#define RAM 0x4000
#define TABLES 0x100000 /* top level, then page-directory pointers */
#define TABLES_SIZE 0x2000
#define PHYSICAL(linear) ((linear) & ((1ull << 39) - 1))

static struct fake *machine;
static u8 *ram, *tables;

/* Present, writable, user, accessed; large and dirty. Anew for each input, whose stores may have met them. */
static void fill_tables(void)
{
	static u64 fresh[TABLES_SIZE / 8];
	u64 i;

	for (i = 0; i < 512 && !fresh[511]; i++) {
		fresh[i] = (TABLES + 0x1000) | 0x27;
		fresh[512 + i] = i << 30 | 0xe7;
	}
	memcpy(tables, fresh, TABLES_SIZE);
}

/* What RAM holds of an access that reaches into it or out of it. */
static const u8 *ram_at(u64 linear)
{
	u64 gpa = PHYSICAL(linear);

	return gpa - TABLES < TABLES_SIZE ? tables + (gpa - TABLES) : ram + gpa % RAM;
}

static void prepare(const struct guest_code *g, u8 choices)
{
	unsigned int mode = g->context.mode_bytes, i;
	struct lkx_vcpu *v;

	if (!machine) {
		machine = fake_create();
		ram = fake_add_slot(machine, 0, RAM, 0);
		tables = fake_add_slot(machine, TABLES, TABLES_SIZE, 0);
		CHECK(ram && tables);
	}
	memset(ram, 0, RAM);
	fill_tables();
	v = &machine->vcpu;
	fake_set_mode(machine, mode == 8 ? FAKE_LONG_64 :
			       mode == 4 ? (choices & 0x40 ? FAKE_LONG_32 : FAKE_PROTECTED_32) :
					   (choices & 0x40 ? FAKE_REAL : FAKE_PROTECTED_16));
	fake_set_field(machine, VMCS_GUEST_CR3, TABLES);
	fake_set_field(machine, VMCS_GUEST_RIP, g->context.rip);
	for (i = 0; i < 16; i++)
		lkx_set_gpr(v, i, g->gpr[i]);
	for (i = SEG_ES; i <= SEG_GS; i++)
		fake_set_field(machine, VMCS_GUEST_ES_BASE + 2 * i, g->context.segment_base[i]);
	fake_set_field(machine, VMCS_GUEST_INTERRUPTIBILITY, 0);
	fake_set_field(machine, VMCS_GUEST_PENDING_DEBUG, 0);
	v->events = (struct lkx_events){ 0 };
	v->completion = LKX_COMPLETE_NOTHING;
	memset(v->run, 0x5a, 512);
	memcpy(ram + g->context.rip, g->byte, g->count);
	memset(ram + g->context.rip + g->count, 0x90, 15 - g->count);
}

/* Linear addresses have 32 bits but in 64-bit mode. */
static u64 address_mask(void)
{
	return lkx_is_64bit(&machine->vcpu) ? ~0ull : 0xffffffff;
}

/* A load's register afterwards, byte by byte. SDM vol. 1, 3.4.1.1: 32-bit results are zero-extended, 8- and 16-bit ones leave the rest. */
static u64 loaded(const struct lkx_decoded *d, u64 old, const u8 data[8])
{
	u8 result[8], sign = d->sign_extend && (data[d->access_bytes - 1] & 0x80) ? 0xff : 0;
	unsigned int i, at = d->high_byte;
	u64 value;

	memcpy(result, &old, 8);
	for (i = 0; i < d->operand_bytes; i++)
		result[at + i] = i < d->access_bytes ? data[i] : sign;
	if (d->operand_bytes == 4)
		memset(result + 4, 0, 4);
	memcpy(&value, result, 8);
	return value;
}

/* User space serves the exits of one access. True where all of it was served and the guest goes on. */
static bool serve(const struct lkx_decoded *d, int result, u8 data[8], bool hostile)
{
	struct kvm_run *run = machine->vcpu.run;
	u64 seed = d->linear, at = d->linear;
	unsigned int done = 0, fragments = 0;
	u64 mask = address_mask();

	while (result == 0 && run->exit_reason == KVM_EXIT_MMIO) {
		struct fake_mmio m = fake_run_mmio(machine);
		u64 answer = fuzz_scramble(&seed);

		CHECK(machine->vcpu.completion == LKX_COMPLETE_MMIO && ++fragments <= 2);
		CHECK(m.is_write == d->write && m.len >= 1 && done + m.len <= d->access_bytes);
		CHECK((m.phys_addr & 0xfff) + m.len <= 4096);
		/* A part that is RAM was done without us. */
		if (m.phys_addr != PHYSICAL(at)) {
			if (!done)
				memcpy(data, ram_at(at), done = d->access_bytes - m.len);
			CHECK(m.phys_addr == PHYSICAL((at + done) & mask));
		}
		if (d->write)
			CHECK(!memcmp(&m.data, (const u8 *)&d->value + done, m.len));
		if (hostile)
			memset(run, (int)answer, 512);
		memcpy(run->mmio.data, &answer, 8);
		memcpy(data + done, &answer, m.len);
		done += m.len;
		result = lkx_mmio_complete(&machine->vcpu);
	}
	if (result == 1 && fragments == 1 && done < d->access_bytes)
		memcpy(data + done, ram_at((at + done) & mask), d->access_bytes - done);
	return result == 1 && fragments;
}

void exit_at_guest_code(const struct guest_code *g, u8 choices)
{
	static const u64 odd[] = { 0, EPT_VIOLATION_FETCH, EPT_VIOLATION_GLA_VALID, ~0ull };
	struct lkx_decode_context context = g->context;
	struct lkx_decoded d;
	u8 code[15], data[8];
	u64 qualification, gla, rip = g->context.rip, old;
	unsigned int i;
	int result;

	prepare(g, choices);
	memcpy(code, ram + rip, 15);
	if (lkx_decode_mov(code, 15, &context, &d))
		d = (struct lkx_decoded){ .access_bytes = 1, .linear = g->gpr[RAX] };
	gla = d.linear;
	/* The second page of an access that crosses into it. */
	if ((choices & 4) && (gla & 0xfff) + d.access_bytes > 4096)
		gla = (gla | 0xfff) + 1;
	if (choices & 8)
		gla += 1;
	gla &= address_mask();
	qualification = (d.write ? EPT_VIOLATION_WRITE : EPT_VIOLATION_READ) | EPT_VIOLATION_GLA_VALID | EPT_VIOLATION_GLA_ACCESS;
	if (choices & 0x10)
		qualification = odd[choices & 3];
	fake_set_field(machine, VMCS_GUEST_LINEAR_ADDRESS, gla);
	machine->vcpu.exit.gpa = PHYSICAL(gla);
	old = lkx_gpr(&machine->vcpu, d.reg);

	result = lkx_mmio_exit(&machine->vcpu, PHYSICAL(gla), qualification);
	CHECK(result == 0 || result == 1);
	CHECK(!machine->warnings);
	if (result == 0 && machine->vcpu.run->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
		CHECK(machine->vcpu.run->emulation_failure.suberror == KVM_INTERNAL_ERROR_EMULATION);
		CHECK(lkx_rip(&machine->vcpu) == rip);
		return;
	}
	if (!serve(&d, result, data, choices & 0x20))
		return;
	CHECK(!machine->vcpu.events.exception_pending);
	CHECK(lkx_rip(&machine->vcpu) == (g->context.mode_bytes == 8 ? rip + d.length : (u32)(rip + d.length)));
	for (i = 0; i < 16; i++) {
		u64 expected = !d.write && i == d.reg ? loaded(&d, old, data) : g->gpr[i];

		CHECK(lkx_gpr(&machine->vcpu, i) == expected);
	}
}
