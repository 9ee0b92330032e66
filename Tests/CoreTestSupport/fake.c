// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "fake.h"
#include "tables.h"
#include <stdlib.h>

static void *allocate(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (!p)
		abort();
	return p;
}

struct fake *fake_create(void)
{
	struct fake *f = allocate(1, sizeof(*f));

	f->hw.processor = &fake_processor;
	f->hw.platform = &fake_platform;
	f->hw.allocations_left = -1;
	f->vmcs = allocate(FAKE_FIELDS, sizeof(u64));
	f->msr = allocate(FAKE_TABLE, sizeof(*f->msr));
	f->msr_write = allocate(FAKE_TABLE, sizeof(*f->msr_write));
	f->cpuid = allocate(FAKE_TABLE, sizeof(*f->cpuid));
	f->invalidation = allocate(FAKE_TABLE, sizeof(*f->invalidation));
	f->run_page = aligned_alloc(4096, LIKEX_RUN_PAGES * 4096);
	if (!f->run_page)
		abort();
	memset(f->run_page, 0, LIKEX_RUN_PAGES * 4096);
	f->caps.ins_outs_info = true;
	f->vm.hw = &f->hw;
	f->vm.caps = &f->caps;
	f->vcpu.hw = &f->hw;
	f->vcpu.vm = &f->vm;
	f->vcpu.run = fake_run(f);
	f->vcpu.pio_data = f->run_page + LIKEX_PIO_PAGE * 4096;
	f->cr0 = 0x80050033;
	f->cr4 = 0x370678;
	f->host_xcr0 = 7;
	f->caps.physical_bits = 40;
	f->caps.pages_1gb = true;
	fake_set_mode(f, FAKE_REAL);
	return f;
}

void fake_destroy(struct fake *f)
{
	struct lkx_memslots *slots = f->vm.slots;
	u32 i;

	for (i = 0; slots && i < slots->count; i++)
		free((void *)(uintptr_t)slots->slot[i].hva);
	free(slots);
	free(f->vmcs);
	free(f->msr);
	free(f->msr_write);
	free(f->cpuid);
	free(f->invalidation);
	free(f->run_page);
	free(f);
}

u8 *fake_add_slot(struct fake *f, u64 gpa, u64 bytes, u32 flags)
{
	struct lkx_memslots *slots = f->vm.slots;
	u8 *memory = aligned_alloc(4096, bytes);

	if (!slots)
		f->vm.slots = slots = allocate(1, sizeof(*slots) + FAKE_TABLE * sizeof(slots->slot[0]));
	if (!memory)
		abort();
	if (slots->count == FAKE_TABLE) {
		free(memory);
		return NULL;
	}
	memset(memory, 0, bytes);
	slots->slot[slots->count] = (struct lkx_memslot){
		.base_gfn = gpa >> LKX_PAGE_SHIFT,
		.npages = bytes >> LKX_PAGE_SHIFT,
		.hva = (u64)(uintptr_t)memory,
		.flags = flags,
		.unwritable = flags,
		.id = slots->count,
	};
	slots->count++;
	slots->generation++;
	return memory;
}

u8 *fake_memory(struct fake *f, u64 gpa, u64 bytes)
{
	struct lkx_memslots *slots = f->vm.slots;
	u32 i;

	for (i = 0; slots && i < slots->count; i++) {
		struct lkx_memslot *s = &slots->slot[i];
		u64 start = s->base_gfn << LKX_PAGE_SHIFT, size = s->npages << LKX_PAGE_SHIFT;

		if (gpa >= start && gpa - start < size && bytes <= size - (gpa - start))
			return (u8 *)(uintptr_t)(s->hva + (gpa - start));
	}
	abort();
}

u64 fake_field(struct fake *f, u32 field)
{
	return f->vmcs[field & (FAKE_FIELDS - 1)];
}

void fake_set_field(struct fake *f, u32 field, u64 value)
{
	f->vmcs[field & (FAKE_FIELDS - 1)] = value;
}

void fake_set_msr(struct fake *f, u32 index, u64 value)
{
	u32 i;

	for (i = 0; i < f->msrs && f->msr[i].key != index; i++)
		;
	if (i == FAKE_TABLE)
		abort();
	f->msr[i] = (struct fake_pair){ index, value };
	f->msrs = max(f->msrs, i + 1);
}

void fake_set_cpuid(struct fake *f, u32 leaf, u32 sub, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	u32 i;

	for (i = 0; i < f->cpuids && (f->cpuid[i].leaf != leaf || f->cpuid[i].sub != sub); i++)
		;
	if (i == FAKE_TABLE)
		abort();
	f->cpuid[i] = (struct fake_cpuid){ leaf, sub, { eax, ebx, ecx, edx } };
	f->cpuids = max(f->cpuids, i + 1);
}

void fake_set_cpl(struct fake *f, unsigned int cpl)
{
	u64 ar = fake_field(f, VMCS_GUEST_SS_ACCESS_RIGHTS);

	fake_set_field(f, VMCS_GUEST_SS_ACCESS_RIGHTS, (ar & ~0x60ull) | cpl << 5);
}

void fake_set_mode(struct fake *f, enum fake_mode mode)
{
	const u64 big = mode == FAKE_REAL || mode == FAKE_PROTECTED_16 ? 0 : 0xc000;
	unsigned int seg;

	for (seg = SEG_ES; seg <= SEG_GS; seg++) {
		fake_set_field(f, VMCS_GUEST_ES_BASE + 2 * seg, 0);
		fake_set_field(f, VMCS_GUEST_ES_LIMIT + 2 * seg, mode == FAKE_REAL ? 0xffff : 0xffffffff);
		fake_set_field(f, VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * seg, 0x93 | big);
	}
	fake_set_field(f, VMCS_GUEST_CS_ACCESS_RIGHTS, mode == FAKE_LONG_64 ? 0xa09b : 0x9b | big);
	fake_set_field(f, VMCS_GUEST_CR0, mode == FAKE_REAL ? 0x30 : mode >= FAKE_LONG_64 ? 0x80010031 : 0x31);
	fake_set_field(f, VMCS_GUEST_CR4, mode >= FAKE_LONG_64 ? 0x20 : 0);
	fake_set_field(f, VMCS_GUEST_RFLAGS, 2);
	f->vcpu.efer = mode >= FAKE_LONG_64 ? EFER_LMA_BIT | EFER_LME_BIT | EFER_NXE_BIT : 0;
}

struct fake_io fake_run_io(struct fake *f)
{
	struct kvm_run *run = fake_run(f);

	return (struct fake_io){ run->io.direction, run->io.size, run->io.port, run->io.count, run->io.data_offset };
}

struct fake_mmio fake_run_mmio(struct fake *f)
{
	struct kvm_run *run = fake_run(f);
	struct fake_mmio m = { .phys_addr = run->mmio.phys_addr, .len = run->mmio.len, .is_write = run->mmio.is_write };

	memcpy(&m.data, run->mmio.data, sizeof(m.data));
	return m;
}

struct fake_failure fake_run_failure(struct fake *f)
{
	struct kvm_run *run = fake_run(f);
	struct fake_failure r = {
		.suberror = run->emulation_failure.suberror,
		.ndata = run->emulation_failure.ndata,
		.flags = run->emulation_failure.flags,
		.insn_size = run->emulation_failure.insn_size,
	};

	memcpy(r.insn_bytes, run->emulation_failure.insn_bytes, sizeof(r.insn_bytes));
	return r;
}

void fake_answer_mmio(struct fake *f, u64 value)
{
	memcpy(fake_run(f)->mmio.data, &value, sizeof(value));
}
