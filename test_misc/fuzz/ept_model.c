// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Guest memory as a table of names: what slots, host pages and operations come to, worked out without the core. */
#include "ept_fuzz.h"
#include "ept.h"

struct model model;

struct model_slot *model_slot_of(u64 gfn)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		if (gfn - model.slot[i].gfn < model.slot[i].npages)
			return &model.slot[i];
	return NULL;
}

void model_drop(u64 gfn, u64 npages)
{
	unsigned int name;

	for (name = 0; name < NAMES; name++)
		if (gfn_of(name) - gfn < npages)
			model.entry[name].present = false;
}

void model_drop_hva(u64 start, u64 end)
{
	unsigned int name;

	for (name = 0; name < NAMES; name++) {
		struct model_slot *slot = model_slot_of(gfn_of(name));
		u64 page;

		if (!slot)
			continue;
		page = slot->hva + (gfn_of(name) - slot->gfn) * 4096;
		if (page + 4096 > start && page < end)
			model.entry[name].present = false;
	}
}

void model_map(unsigned int name, u64 pfn, u64 access)
{
	struct model_entry *e = &model.entry[name];

	if (e->present && e->pfn == pfn)
		access |= e->access;
	*e = (struct model_entry){ true, pfn, access };
}

static struct host_page *page_of(const struct model_slot *slot, u64 gfn)
{
	u64 index = (slot->hva - HVA) / 4096 + gfn - slot->gfn;

	return index < PAGES ? &m.page[index] : NULL;
}

/* What the host has within the same 16 pages of the same slot comes along, but where something is mapped. */
static void map_near(unsigned int around, const struct model_slot *slot)
{
	unsigned int name;

	for (name = 0; name < NAMES; name++) {
		struct host_page *page = page_of(slot, gfn_of(name));

		if (model.entry[name].present || gfn_of(name) / 16 != gfn_of(around) / 16 || model_slot_of(gfn_of(name)) != slot)
			continue;
		if (page && page->state != PAGE_GONE)
			model_map(name, page->pfn, EPT_READ | EPT_EXECUTE |
				  (page->state == PAGE_PRESENT && !slot->flags ? EPT_WRITE : 0));
	}
}

void model_access(unsigned int name, bool write, int result, u64 pfn, bool may_lack_memory)
{
	struct model_entry *e = &model.entry[name];
	struct model_slot *slot = model_slot_of(gfn_of(name));
	bool readonly = slot && (slot->flags & KVM_MEM_READONLY), logged = slot && (slot->flags & KVM_MEM_LOG_DIRTY_PAGES);
	struct host_page *page = NULL;

	/* A mapping that allows it needs nobody. */
	if (e->present && (!write || (e->access & EPT_WRITE))) {
		CHECK(result == 0 && pfn == e->pfn);
		return;
	}
	if (!slot || (write && readonly)) {
		CHECK(result == 1);
		return;
	}
	if (may_lack_memory && result == -ENOMEM)
		return;
	page = page_of(slot, gfn_of(name));
	if (!page || page->state == PAGE_GONE || (write && page->state == PAGE_PROTECTED)) {
		CHECK(result == -EFAULT);
		return;
	}
	CHECK(result == 0 && pfn == page->pfn);
	if (write && logged)
		slot->dirty |= 1u << (gfn_of(name) - slot->gfn);
	model_map(name, pfn, EPT_READ | EPT_EXECUTE |
		  (page->state == PAGE_PRESENT && !readonly && (write || !logged) ? EPT_WRITE : 0));
	map_near(name, slot);
}

static bool overlaps_another(const struct kvm_userspace_memory_region *r)
{
	u64 gfn = r->guest_phys_addr / 4096, npages = r->memory_size / 4096;
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		if (i != r->slot && model.slot[i].npages && model.slot[i].gfn < gfn + npages &&
		    gfn < model.slot[i].gfn + model.slot[i].npages)
			return true;
	return false;
}

void model_set_slot(const struct kvm_userspace_memory_region *r, int result, bool may_lack_memory)
{
	struct model_slot *slot = &model.slot[r->slot], old = *slot;
	struct model_slot new = { r->guest_phys_addr / 4096, r->memory_size / 4096, r->userspace_addr, r->flags, 0 };

	if (may_lack_memory && result == -ENOMEM)
		return;
	if (!new.npages) {
		CHECK(result == (old.npages ? 0 : -EINVAL));
	} else if (old.npages && (old.npages != new.npages || old.hva != new.hva ||
				 ((old.flags ^ new.flags) & KVM_MEM_READONLY))) {
		CHECK(result == -EINVAL);
	} else if (old.npages && old.gfn == new.gfn) {
		CHECK(result == 0);
		if (old.flags == new.flags)
			return;
	} else if (overlaps_another(r)) {
		CHECK(result == -EEXIST);
	} else {
		CHECK(result == (new.gfn + new.npages - 1 > m.vm.ept.max_gfn ? -EINVAL : 0));
	}
	if (result)
		return;
	if (old.npages && (old.flags & new.flags & KVM_MEM_LOG_DIRTY_PAGES))
		new.dirty = old.dirty;
	*slot = new;
	if (old.npages)
		model_drop(old.gfn, old.npages);
}

void model_take_log(struct model_slot *slot, u64 dirty)
{
	unsigned int name;

	CHECK(dirty == slot->dirty);
	for (name = 0; name < NAMES; name++) {
		u64 page = gfn_of(name) - slot->gfn;

		if (page < PAGES && slot->dirty >> page & 1)
			model.entry[name].access &= ~EPT_WRITE;
	}
	slot->dirty = 0;
}

static u64 count_tables(const u64 *table, int level)
{
	u64 count = 1;
	unsigned int i;

	for (i = 0; level > 1 && i < 512; i++)
		if (table[i] & EPT_RWX)
			count += count_tables(plat_virt(&m.hw, table[i] & EPT_ADDRESS), level - 1);
	return count;
}

static void compare_caches(unsigned int name, u64 expected)
{
	unsigned int i;

	for (i = 0; i < VCPUS; i++) {
		u64 cached = m.cached[i][name];

		if (m.vcpu[i].mode != LKX_IN_GUEST || !cached)
			continue;
		CHECK((cached & EPT_ADDRESS) == (expected & EPT_ADDRESS) && !(cached & EPT_RWX & ~expected));
	}
}

void compare_with_model(unsigned int looked_up)
{
	unsigned int name;
	int level;

	for (name = 0; name < NAMES; name++) {
		const struct model_entry *e = &model.entry[name];
		u64 expected = e->present ? e->pfn << 12 | e->access : 0;

		CHECK(machine_walk(name) == expected);
		if (name == looked_up)
			CHECK((lkx_ept_lookup(&m.vm, gfn_of(name), &level) & (EPT_ADDRESS | EPT_RWX)) == expected);
		compare_caches(name, expected);
	}
	CHECK(!m.vm.ept.lock.taken && !m.references && !lkx_tlb_owed(&m.vm));
}

/* Slow: at the end of an input. */
void compare_tables(void)
{
	CHECK(count_tables(m.vm.ept.root, EPT_LEVELS) == m.vm.ept.tables);
}
