// SPDX-License-Identifier: MIT OR GPL-2.0-only
// INS and OUTS, with and without REP. Exit qualification: SDM vol. 3, table 28-5; instruction information: table 28-9.
#include "exits.h"
#include "fetch.h"
#include "ioevent.h"
#include "mmio.h"
#include "segment.h"

#define IO_SIZE(q) (((q) & 7) + 1)
#define IO_IN BIT(3)
#define IO_REP BIT(5)
#define IO_PORT(q) ((u16)((q) >> 16))
#define INFO_ADDRESS_SIZE(info) (2u << (((info) >> 7) & 3)) /* 0, 1, 2: 2, 4, 8 bytes */
#define INFO_SEGMENT(info) (((info) >> 15) & 7)
#define MAX_IN_BYTES 1024 /* of one exit for REP INS, as stock KVM */

/* One INS or OUTS as its registers have it now. */
struct string_io {
	u16 port;
	u8 size;          /* of an element */
	bool in, rep;
	u8 address_bytes; /* width of rSI or rDI, and rCX */
	u8 segment;
	u64 count;        /* elements left: rCX with REP, otherwise 1 */
};

/* Address size and segment on a processor that does not say them. 0, or what lkx_fetch and the decoder answer. */
static int read_prefixes(struct lkx_vcpu *v, struct string_io *s, struct lkx_walk_fault *fault)
{
	struct lkx_insn_bytes b;
	struct lkx_prefixes p;
	struct lkx_fetched f;
	int err;

	lkx_fetch(v, &f);
	*fault = f.fault;
	if (!f.count)
		return f.err;
	b = (struct lkx_insn_bytes){ .byte = f.byte, .count = f.count };
	err = lkx_decode_prefixes(&b, lkx_code_bytes(v), &p);
	if (err == -E2BIG && f.err)
		return f.err;
	if (err)
		return err;
	if (p.opcode < 0x6c || p.opcode > 0x6f) /* the code changed since: let the processor look again */
		return -EAGAIN;
	s->address_bytes = p.address_bytes;
	if (!s->in && p.segment >= 0)
		s->segment = p.segment;
	return 0;
}

static u64 address_mask(unsigned int bytes)
{
	return bytes == 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

static int read_instruction(struct lkx_vcpu *v, struct string_io *s, struct lkx_walk_fault *fault)
{
	u64 q = v->exit.qualification;

	*s = (struct string_io){
		.port = IO_PORT(q),
		.size = IO_SIZE(q),
		.in = q & IO_IN,
		.rep = q & IO_REP,
		.segment = q & IO_IN ? SEG_ES : SEG_DS,
	};
	if (v->vm->caps->ins_outs_info) {
		u32 info = vmcs_read32(v->hw, EXIT_INSTRUCTION_INFO);

		s->address_bytes = min_t(unsigned int, INFO_ADDRESS_SIZE(info), 8);
		if (!s->in)
			s->segment = min_t(unsigned int, INFO_SEGMENT(info), SEG_GS);
	} else {
		int err = read_prefixes(v, s, fault);

		if (err)
			return err;
	}
	s->count = s->rep ? lkx_gpr(v, RCX) & address_mask(s->address_bytes) : 1;
	return 0;
}

/* An address or count register of `bytes` width: 2 leaves the rest as it was, 4 clears the upper half. */
static void set_register(struct lkx_vcpu *v, unsigned int reg, unsigned int bytes, u64 value)
{
	if (bytes == 2)
		value = (lkx_gpr(v, reg) & ~0xffffull) | (value & 0xffff);
	lkx_set_gpr(v, reg, value & (bytes == 4 ? 0xffffffffull : ~0ull));
}

/* `count` elements are done: the index register moves, rCX counts. */
static void advance(struct lkx_vcpu *v, unsigned int index, unsigned int bytes, unsigned int size, bool rep, u32 count)
{
	u64 step = lkx_rflags(v) & RFLAGS_DF ? -(u64)size : size;

	set_register(v, index, bytes, lkx_gpr(v, index) + step * count);
	if (rep)
		set_register(v, RCX, bytes, lkx_gpr(v, RCX) - count);
}

/* Over with the instruction, or with part of a repeated one: RF keeps its own breakpoint from hitting again in between. */
static void finish(struct lkx_vcpu *v, bool finished)
{
	u64 rflags = lkx_rflags(v);
	u64 now = finished ? rflags & ~RFLAGS_RF : rflags | RFLAGS_RF;

	if (now != rflags)
		vmcs_writen(v->hw, GUEST_RFLAGS, now);
	if (finished)
		lkx_skip_instruction(v);
}

static bool none_left(struct lkx_vcpu *v, bool rep, unsigned int address_bytes)
{
	return !rep || !(lkx_gpr(v, RCX) & address_mask(address_bytes));
}

/* A guest access failed with `err`: 1 where the guest goes on, 0 for user space. */
static int access_failed(struct lkx_vcpu *v, int err, const struct lkx_walk_fault *fault)
{
	if (err == -EAGAIN)
		return 1;
	if (err != -EFAULT)
		return lkx_emulation_failed(v);
	lkx_raise_fault(v, fault);
	return 1;
}

static void ask_user_space(struct lkx_vcpu *v, const struct string_io *s, u32 count)
{
	struct kvm_run *run = v->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = s->in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = s->size;
	run->io.port = s->port;
	run->io.count = count;
	run->io.data_offset = LIKEX_PIO_PAGE * LKX_PAGE_BYTES;
	v->pio = (struct lkx_pio){
		.port = s->port,
		.size = s->size,
		.in = s->in,
		.count = count,
		.rep = s->rep,
		.address_bytes = s->address_bytes,
	};
	plat_trace_pio(v, s->port, s->size, count, s->in);
}

/* OUTS gives user space one element at a time, its registers already past it. */
static int exit_outs(struct lkx_vcpu *v, const struct string_io *s)
{
	struct lkx_walk_fault fault;
	u64 value = 0, linear;
	bool told;
	int err = lkx_segment_access(v, s->segment, lkx_gpr(v, RSI) & address_mask(s->address_bytes), s->size, false, &linear, &fault);

	if (!err)
		err = lkx_gla_read(v, linear, lkx_explicit_access(v), &value, s->size, &fault);
	if (err)
		return access_failed(v, err, &fault);
	told = lkx_ioevent_write(v->vm, LKX_IOEVENT_PIO, s->port, s->size, &value);
	if (!told) {
		memcpy(v->pio_data, &value, s->size);
		ask_user_space(v, s, 1);
	}
	advance(v, RSI, s->address_bytes, s->size, s->rep, 1);
	finish(v, none_left(v, s->rep, s->address_bytes));
	return told;
}

/* How many elements one exit for INS reads ahead: within a page's number of bytes, as stock KVM counts it. */
static u32 elements_ahead(struct lkx_vcpu *v, const struct string_io *s)
{
	u64 offset = LKX_PAGE_OFFSET(lkx_gpr(v, RDI));
	u64 in_page = lkx_rflags(v) & RFLAGS_DF ? offset : LKX_PAGE_BYTES - offset;
	u64 n = min_t(u64, min_t(u64, in_page, MAX_IN_BYTES / s->size), s->count);

	return n ? n : 1;
}

/* All of `count` elements from rDI on lie in one rising run of at most a page, as nearly always: its linear address. */
static bool one_run(struct lkx_vcpu *v, u64 index, unsigned int address_bytes, u32 bytes, u64 *linear)
{
	struct lkx_walk_fault fault;
	u64 mask = address_mask(address_bytes);

	index &= mask;
	return !(lkx_rflags(v) & RFLAGS_DF) && mask - index >= bytes &&
	       !lkx_segment_access(v, SEG_ES, index, bytes, true, linear, &fault);
}

/* Both ends of a run of at most a page can be written by the guest and are in slots. */
static bool run_storable(struct lkx_vcpu *v, u64 linear, u32 bytes)
{
	unsigned int access = lkx_explicit_access(v) | ACCESS_WRITE;
	struct lkx_walk_fault fault;
	u64 gpa;

	return !lkx_walk(v, linear, access, &gpa, &fault) && lkx_gpa_in_slot(v->vm, gpa, true) &&
	       !lkx_walk(v, linear + bytes - 1, access, &gpa, &fault) && lkx_gpa_in_slot(v->vm, gpa, true);
}

/*
 * How many of `count` elements from rDI on can be stored, looked at page by page before the device is read: what it gave must
 * not be lost. 0 with `*err` and `*fault` where the first one can't.
 */
static u32 elements_storable(struct lkx_vcpu *v, const struct string_io *s, u32 count, int *err, struct lkx_walk_fault *fault)
{
	unsigned int access = lkx_explicit_access(v) | ACCESS_WRITE, byte;
	u64 index = lkx_gpr(v, RDI), step = lkx_rflags(v) & RFLAGS_DF ? -(u64)s->size : s->size;
	u64 known_page = LKX_INVALID_ADDRESS, run;
	u32 i;

	*err = 0;
	if (one_run(v, index, s->address_bytes, count * s->size, &run) && run_storable(v, run, count * s->size))
		return count;
	for (i = 0; i < count; i++, index += step) {
		u64 linear, gpa;

		*err = lkx_segment_access(v, s->segment, index & address_mask(s->address_bytes), s->size, true, &linear, fault);
		for (byte = 0; !*err && byte < s->size; byte += max(1, s->size - 1)) {
			u64 page = (linear + byte) >> LKX_PAGE_SHIFT;

			if (page == known_page)
				continue;
			*err = lkx_walk(v, linear + byte, access, &gpa, fault);
			if (!*err && !lkx_gpa_in_slot(v->vm, gpa, true))
				*err = -ENXIO;
			known_page = page;
		}
		if (*err)
			break;
	}
	return i;
}

static int exit_ins(struct lkx_vcpu *v, const struct string_io *s)
{
	struct lkx_walk_fault fault;
	int err;
	u32 count = elements_storable(v, s, elements_ahead(v, s), &err, &fault);

	if (!count)
		return access_failed(v, err, &fault);
	ask_user_space(v, s, count);
	v->completion = LKX_COMPLETE_INS;
	v->completion_rip = lkx_rip(v);
	return 0;
}

int lkx_exit_string_io(struct lkx_vcpu *v)
{
	struct lkx_walk_fault fault;
	struct string_io s;
	int err = read_instruction(v, &s, &fault);

	if (err)
		return access_failed(v, err, &fault);
	if (!s.count) {
		finish(v, true);
		return 1;
	}
	return s.in ? exit_ins(v, &s) : exit_outs(v, &s);
}

int lkx_pio_complete_ins(struct lkx_vcpu *v)
{
	const struct lkx_pio *pio = &v->pio;
	struct lkx_walk_fault fault;
	u64 run;
	u32 i = 0;

	v->completion = LKX_COMPLETE_NOTHING;
	/* User space gave the vCPU another state: that input is history. */
	if (lkx_rip(v) != v->completion_rip)
		return 1;
	if (one_run(v, lkx_gpr(v, RDI), pio->address_bytes, pio->count * pio->size, &run) &&
	    !lkx_gla_write(v, run, lkx_explicit_access(v), v->pio_data, pio->count * pio->size, &fault)) {
		advance(v, RDI, pio->address_bytes, pio->size, pio->rep, pio->count);
		i = pio->count;
	}
	/* What went wrong in one piece is told apart element by element. */
	for (; i < pio->count; i++) {
		u64 index = lkx_gpr(v, RDI) & address_mask(pio->address_bytes), linear;
		u8 element[8];
		int err;

		memcpy(element, v->pio_data + i * pio->size, pio->size);
		err = lkx_segment_access(v, SEG_ES, index, pio->size, true, &linear, &fault);
		if (!err)
			err = lkx_gla_write(v, linear, lkx_explicit_access(v), element, pio->size, &fault);
		/* Only where the tables changed since the exit: the rest of the input is gone then. */
		if (err)
			return access_failed(v, err, &fault);
		advance(v, RDI, pio->address_bytes, pio->size, pio->rep, 1);
	}
	finish(v, none_left(v, pio->rep, pio->address_bytes));
	return 1;
}
