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

/* The frames that go where a name's mapping goes. */
static u64 first_of(unsigned int name)
{
	return model.entry[name].large ? gfn_of(name) & ~(LARGE - 1ull) : gfn_of(name);
}

static u64 count_of(unsigned int name)
{
	return model.entry[name].large ? LARGE : 1;
}

void model_drop(u64 gfn, u64 npages)
{
	unsigned int name;

	for (name = 0; name < NAMES; name++) {
		u64 first = first_of(name);

		if (first < gfn + npages && gfn < first + count_of(name))
			model.entry[name].present = false;
	}
}

void model_drop_hva(u64 start, u64 end)
{
	unsigned int name;

	for (name = 0; name < NAMES; name++) {
		struct model_slot *slot = model_slot_of(gfn_of(name));
		u64 page;

		if (!slot)
			continue;
		page = slot->hva + (first_of(name) - slot->gfn) * 4096;
		if (page + count_of(name) * 4096 > start && page < end)
			model.entry[name].present = false;
	}
}

void model_map(unsigned int name, u64 pfn, u64 access)
{
	struct model_entry *e = &model.entry[name];

	/* A large page that it is a part of goes as a whole. */
	if (e->present && e->large)
		model_drop(gfn_of(name), 1);
	if (e->present && e->pfn == pfn)
		access |= e->access;
	*e = (struct model_entry){ true, false, pfn, access };
}

static bool page_of(const struct model_slot *slot, u64 gfn, struct host_page *page, bool *large)
{
	return machine_page((slot->hva - HVA) / 4096 + gfn - slot->gfn, page, large);
}

/* All names of a large page. What was mapped there goes, but that the same page only gains permissions. */
static void map_large(unsigned int around, u64 pfn, u64 access)
{
	u64 first = gfn_of(around) & ~(LARGE - 1ull);
	unsigned int name;

	for (name = 0; name < NAMES; name++) {
		struct model_entry *e = &model.entry[name];
		u64 offset = gfn_of(name) - first, now = pfn - (gfn_of(around) - first) + offset;

		if (offset >= LARGE)
			continue;
		if (e->present && e->large && e->pfn == now)
			e->access |= access;
		else
			*e = (struct model_entry){ true, true, now, access };
	}
}

/* Do all frames around one lie in its slot, as they do in the VMM's memory? */
static bool fits(const struct model_slot *slot, u64 gfn)
{
	u64 first = gfn & ~(LARGE - 1ull);

	return m.caps.ept_level > 1 && first >= slot->gfn && first + LARGE <= slot->gfn + slot->npages &&
	       (slot->hva / 4096 - slot->gfn) % LARGE == 0;
}

/* What the host has within the same 16 pages of the same slot comes along, but where something is mapped. */
static void map_near(unsigned int around, const struct model_slot *slot)
{
	unsigned int name;

	for (name = 0; name < NAMES; name++) {
		struct host_page page;
		bool large;

		if (model.entry[name].present || gfn_of(name) / 16 != gfn_of(around) / 16 || model_slot_of(gfn_of(name)) != slot)
			continue;
		if (page_of(slot, gfn_of(name), &page, &large) && page.state != PAGE_GONE)
			model_map(name, page.pfn, EPT_READ | EPT_EXECUTE |
				  (page.state == PAGE_PRESENT && !slot->flags ? EPT_WRITE : 0));
	}
}

void model_access(unsigned int name, bool write, int result, u64 pfn, bool may_lack_memory)
{
	struct model_entry *e = &model.entry[name];
	struct model_slot *slot = model_slot_of(gfn_of(name));
	bool readonly = slot && (slot->flags & KVM_MEM_READONLY), logged = slot && (slot->flags & KVM_MEM_LOG_DIRTY_PAGES), large;
	struct host_page page;
	u64 access;

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
	if (!page_of(slot, gfn_of(name), &page, &large) || page.state == PAGE_GONE || (write && page.state == PAGE_PROTECTED)) {
		CHECK(result == -EFAULT);
		return;
	}
	CHECK(result == 0 && pfn == page.pfn);
	if (write && logged)
		slot->dirty |= 1u << (gfn_of(name) - slot->gfn);
	access = EPT_READ | EPT_EXECUTE | (page.state == PAGE_PRESENT && !readonly && (write || !logged) ? EPT_WRITE : 0);
	if (large && !logged && fits(slot, gfn_of(name))) {
		map_large(name, pfn, access);
		return;
	}
	model_map(name, pfn, access);
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
		if ((table[i] & EPT_RWX) && !(table[i] & EPT_LARGE))
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

static void compare_lookup(unsigned int name, u64 expected)
{
	int level;
	u64 e = lkx_ept_lookup(&m.vm, gfn_of(name), &level);

	if (e & EPT_LARGE)
		e += gfn_of(name) % LARGE * 4096;
	CHECK((e & (EPT_ADDRESS | EPT_RWX)) == expected);
	CHECK(!expected || level == (model.entry[name].large ? 2 : 1));
}

void compare_with_model(unsigned int looked_up)
{
	unsigned int name;

	for (name = 0; name < NAMES; name++) {
		const struct model_entry *e = &model.entry[name];
		u64 expected = e->present ? e->pfn << 12 | e->access : 0;

		CHECK(machine_walk(name) == expected);
		if (name == looked_up)
			compare_lookup(name, expected);
		compare_caches(name, expected);
	}
	CHECK(!m.vm.ept.lock.taken && !m.references && !lkx_tlb_owed(&m.vm));
}

/* Slow: at the end of an input. */
void compare_tables(void)
{
	CHECK(count_tables(m.vm.ept.root, EPT_LEVELS) == m.vm.ept.tables);
}
