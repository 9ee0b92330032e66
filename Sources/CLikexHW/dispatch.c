// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What the core asks of a VM's or a vCPU's platform, handed to the table of the hw that it runs on.
#include "vcpu.h"

int plat_page_get(struct lkx_vm *vm, u64 hva, bool write, bool want_writable, struct plat_page *page)
{
	return vm->hw->platform->page_get(vm, hva, write, want_writable, page);
}

void plat_page_put(struct lkx_vm *vm, struct plat_page *page, bool dirtied)
{
	vm->hw->platform->page_put(vm, page, dirtied);
}

u64 plat_mmu_begin(struct lkx_vm *vm)
{
	return vm->hw->platform->mmu_begin(vm);
}

bool plat_mmu_retry(struct lkx_vm *vm, u64 seq, u64 hva, u64 size)
{
	return vm->hw->platform->mmu_retry(vm, seq, hva, size);
}

int plat_pages_near(struct lkx_vm *vm, u64 hva, u32 count, u64 *near)
{
	memset(near, 0, count * sizeof(*near));
	return vm->hw->platform->pages_near ? vm->hw->platform->pages_near(vm, hva, count, near) : 1;
}

bool plat_slots_locked(struct lkx_vm *vm)
{
	return vm->hw->platform->slots_locked(vm);
}

void plat_kick_guests(struct lkx_vm *vm)
{
	vm->hw->platform->kick_guests(vm);
}

int plat_run_poll(struct lkx_vcpu *v)
{
	return v->hw->platform->run_poll(v);
}

bool plat_entry_begin(struct lkx_vcpu *v)
{
	return v->hw->platform->entry_begin(v);
}

bool plat_entry_pending(struct lkx_vcpu *v)
{
	return v->hw->platform->entry_pending(v);
}

void plat_host_event(struct lkx_vcpu *v, u32 interruption_info)
{
	v->hw->platform->host_event(v, interruption_info);
}

void plat_entry_end(struct lkx_vcpu *v)
{
	v->hw->platform->entry_end(v);
}

u32 plat_cpu(struct lkx_vcpu *v)
{
	return v->hw->platform->cpu(v);
}

int plat_lapic_create(struct lkx_vcpu *v)
{
	return v->hw->platform->lapic_create(v);
}

void plat_lapic_destroy(struct lkx_vcpu *v)
{
	v->hw->platform->lapic_destroy(v);
}

void plat_timer_set(struct lkx_vcpu *v, u64 at)
{
	v->hw->platform->timer_set(v, at);
}

void plat_notify(struct lkx_vcpu *v, bool posted)
{
	v->hw->platform->notify(v, posted);
}

int plat_block(struct lkx_vcpu *v)
{
	return v->hw->platform->block(v);
}

void plat_ioevent_signal(struct lkx_vm *vm, void *target)
{
	vm->hw->platform->ioevent_signal(vm, target);
}

/* Traces may go unwatched. */
#define TRACE(v, name, ...)                                          \
	do {                                                         \
		if ((v)->hw->platform->name)                         \
			(v)->hw->platform->name((v), ##__VA_ARGS__); \
	} while (0)

void plat_trace_entry(struct lkx_vcpu *v)
{
	TRACE(v, trace_entry);
}

void plat_trace_exit(struct lkx_vcpu *v, const struct lkx_exit *e)
{
	TRACE(v, trace_exit, e);
}

void plat_trace_inject(struct lkx_vcpu *v, u32 interruption_info, u32 error_code)
{
	TRACE(v, trace_inject, interruption_info, error_code);
}

void plat_trace_fault(struct lkx_vcpu *v, u64 gpa, u64 qualification, u64 spte)
{
	TRACE(v, trace_fault, gpa, qualification, spte);
}

void plat_trace_mmio(struct lkx_vcpu *v, u64 gpa, u32 len, bool write, u64 data)
{
	TRACE(v, trace_mmio, gpa, len, write, data);
}

void plat_trace_pio(struct lkx_vcpu *v, u16 port, u32 size, u32 count, bool in)
{
	TRACE(v, trace_pio, port, size, count, in);
}
