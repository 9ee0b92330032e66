// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A load or store that met no slot: decoded, split at the page boundary, answered by user space one fragment at a time.
#include "mmio.h"
#include "decode_address.h"
#include "fetch.h"
#include "ioevent.h"
#include "lapic.h"
#include "segment.h"

static void read_context(struct lkx_vcpu *v, u64 gpr[16], struct lkx_decode_context *c)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		gpr[i] = lkx_gpr(v, i);
	c->mode_bytes = lkx_code_bytes(v);
	c->gpr = gpr;
	c->rip = lkx_rip(v);
	for (i = 0; i < ARRAY_SIZE(c->segment_base); i++)
		c->segment_base[i] = lkx_segment_base(v, i);
}

/*
 * Is `d` the access that the hardware reported? Otherwise another processor changed the code since. The violation may be of the
 * access's second page, whose address is then that of the page.
 */
static bool is_reported_access(struct lkx_vcpu *v, const struct lkx_decoded *d, u64 gpa, u64 qualification)
{
	u64 gla = vmcs_readn(v->hw, GUEST_LINEAR_ADDRESS);
	u64 mask = lkx_is_64bit(v) ? ~0ull : 0xffffffffull;

	/* An APIC-access exit says no linear address. */
	if (v->exit.reason == EXIT_APIC_ACCESS) {
		gla = gpa;
		mask = LKX_PAGE_BYTES - 1;
	}
	if (d->write != !!(qualification & EPT_VIOLATION_WRITE))
		return false;
	return ((gla - d->linear) & mask) < d->access_bytes && LKX_PAGE_OFFSET(gla) == LKX_PAGE_OFFSET(gpa);
}

/* Where the fragments are: `gpa` is that of one of them, the page tables know the other's. 0 or as lkx_walk. */
static int find_fragments(struct lkx_vcpu *v, const struct lkx_decoded *d, u64 gpa, struct lkx_walk_fault *fault)
{
	struct lkx_mmio *m = &v->mmio;
	unsigned int access = lkx_explicit_access(v) | (d->write ? ACCESS_WRITE : ACCESS_READ);
	u64 in_page = LKX_PAGE_BYTES - LKX_PAGE_OFFSET(d->linear);
	bool second = LKX_PAGE_OFFSET(gpa) < LKX_PAGE_OFFSET(d->linear); /* the page that the violation is of */

	m->len[0] = min_t(u64, d->access_bytes, in_page);
	m->len[1] = d->access_bytes - m->len[0];
	m->fragments = m->len[1] ? 2 : 1;
	m->active = 0;
	/* The violation may name any byte of the access. */
	m->gpa[0] = (gpa & ~(LKX_PAGE_BYTES - 1)) | LKX_PAGE_OFFSET(d->linear);
	if (m->fragments == 1)
		return 0;
	if (!second)
		return lkx_walk(v, d->linear + m->len[0], access, &m->gpa[1], fault);
	m->gpa[1] = gpa & ~(LKX_PAGE_BYTES - 1);
	return lkx_walk(v, d->linear, access, &m->gpa[0], fault);
}

/* Bytes of the access before the current fragment. */
static unsigned int done_bytes(const struct lkx_mmio *m)
{
	return m->active ? m->len[0] : 0;
}

/* The current fragment where a slot holds it: memory, at once. */
static bool in_memory(struct lkx_vcpu *v)
{
	struct lkx_mmio *m = &v->mmio;
	u64 gpa = m->gpa[m->active];
	u8 *data = m->data + done_bytes(m);

	if (m->write)
		return !lkx_gpa_write(v->vm, gpa, data, m->len[m->active]);
	return !lkx_gpa_read(v->vm, gpa, data, m->len[m->active]);
}

/* The current fragment where an eventfd is told of it. */
static bool is_event(struct lkx_vcpu *v)
{
	const struct lkx_mmio *m = &v->mmio;

	if (!m->write || !lkx_ioevent_write(v->vm, LKX_IOEVENT_MMIO, m->gpa[m->active], m->len[m->active], m->data + done_bytes(m)))
		return false;
	plat_trace_mmio(v, m->gpa[m->active], m->len[m->active], true, 0);
	return true;
}

/* The current fragment where the vCPU's own APIC is. */
static bool is_lapic(struct lkx_vcpu *v)
{
	struct lkx_mmio *m = &v->mmio;

	return v->lapic && lkx_lapic_mmio(v, m->gpa[m->active], m->data + done_bytes(m), m->len[m->active], m->write);
}

/* Fills the run page with the current fragment. */
static void ask_user_space(struct lkx_vcpu *v)
{
	struct lkx_mmio *m = &v->mmio;
	struct kvm_run *run = v->run;
	u64 value = 0;

	v->stats.mmio_exits++;
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = m->gpa[m->active];
	run->mmio.len = m->len[m->active];
	run->mmio.is_write = m->write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (m->write) {
		memcpy(run->mmio.data, m->data + done_bytes(m), m->len[m->active]);
		memcpy(&value, m->data + done_bytes(m), m->len[m->active]);
	}
	plat_trace_mmio(v, m->gpa[m->active], m->len[m->active], m->write, value);
	v->completion = LKX_COMPLETE_MMIO;
	v->completion_rip = lkx_rip(v);
}

/* A finished load's value into its register. 4 bytes zero-extend, 1 and 2 leave the rest as it was. */
static void write_register(struct lkx_vcpu *v)
{
	const struct lkx_mmio *m = &v->mmio;
	u64 value = 0, old = lkx_gpr(v, m->reg), mask;
	unsigned int shift = m->high_byte ? 8 : 0;

	memcpy(&value, m->data, m->access_bytes);
	if (m->sign_extend)
		value = lkx_sign_extend(value, m->access_bytes);
	if (m->operand_bytes == 4)
		value = (u32)value;
	if (m->operand_bytes <= 2) {
		mask = ((1ull << (8 * m->operand_bytes)) - 1) << shift;
		value = (old & ~mask) | ((value << shift) & mask);
	}
	lkx_set_gpr(v, m->reg, value);
}

static void step_over(struct lkx_vcpu *v)
{
	/* An EPT violation says no instruction length; the decoder knows it. */
	v->exit.instruction_length = v->mmio.instruction_length;
	lkx_skip_instruction(v);
}

/* Does the fragments from the current one on, until one is user space's. 0: it is; 1: the access is done. */
static int continue_access(struct lkx_vcpu *v)
{
	struct lkx_mmio *m = &v->mmio;

	for (; m->active < m->fragments; m->active++) {
		if (!in_memory(v) && !is_lapic(v) && !is_event(v)) {
			ask_user_space(v);
			return 0;
		}
	}
	if (!m->write) {
		write_register(v);
		step_over(v);
	}
	return 1;
}

/* What becomes of a guest access that failed with `err`: 1 where the guest goes on, 0 for user space. */
static int access_failed(struct lkx_vcpu *v, int err, const struct lkx_walk_fault *fault)
{
	if (err == -EAGAIN)
		return 1;
	if (err != -EFAULT)
		return lkx_emulation_failed(v);
	lkx_raise_fault(v, fault);
	return 1;
}

int lkx_mmio_exit(struct lkx_vcpu *v, u64 gpa, u64 qualification)
{
	const u64 of_the_access = EPT_VIOLATION_GLA_VALID | EPT_VIOLATION_GLA_ACCESS;
	struct lkx_decode_context c;
	struct lkx_decoded d;
	struct lkx_fetched f;
	u64 gpr[16];
	int err;

	/* Code, or the guest's page tables, where no memory is. */
	if ((qualification & EPT_VIOLATION_FETCH) || (qualification & of_the_access) != of_the_access)
		return lkx_emulation_failed(v);

	lkx_fetch(v, &f);
	if (!f.count)
		return access_failed(v, f.err, &f.fault);
	read_context(v, gpr, &c);
	err = lkx_decode_mov(f.byte, f.count, &c, &d);
	if (err == -E2BIG && f.err)
		return access_failed(v, f.err, &f.fault);
	if (err)
		return lkx_emulation_failed(v);
	if (!is_reported_access(v, &d, gpa, qualification))
		return 1;

	v->mmio = (struct lkx_mmio){
		.write = d.write,
		.reg = d.reg,
		.high_byte = d.high_byte,
		.operand_bytes = d.operand_bytes,
		.access_bytes = d.access_bytes,
		.sign_extend = d.sign_extend,
		.instruction_length = d.length,
	};
	memcpy(v->mmio.data, &d.value, sizeof(d.value));
	err = find_fragments(v, &d, gpa, &f.fault);
	if (err)
		return access_failed(v, err, &f.fault);
	/* A store is over for the guest before user space sees it; a load is when its value is there. */
	if (d.write)
		step_over(v);
	return continue_access(v);
}

int lkx_mmio_complete(struct lkx_vcpu *v)
{
	struct lkx_mmio *m = &v->mmio;

	v->completion = LKX_COMPLETE_NOTHING;
	/* User space gave the vCPU another state: that access is history. */
	if (lkx_rip(v) != v->completion_rip)
		return 1;
	if (!m->write)
		memcpy(m->data + done_bytes(m), v->run->mmio.data, m->len[m->active]);
	m->active++;
	return continue_access(v);
}
