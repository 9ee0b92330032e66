// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Processors that walk and cache the EPT, and a host that takes its pages back, around the core. */
#include "ept_fuzz.h"
#include "ept.h"

#define TRIES 6

struct machine m;

static struct machine *machine_of(struct lkx_hw *hw)
{
	return (struct machine *)hw;
}

u64 gfn_of(unsigned int name)
{
	/* Around the first entries of tables of level 1, 2 and 3, and the last frames that 40 bits of addresses name. */
	static const u64 start[] = { 0, 512 - 4, (1 << 18) - 4, (1 << 27) - 4, (1ull << 28) - 8 };

	return start[name / 8 % ARRAY_SIZE(start)] + name % 8;
}

void machine_host_set(unsigned int first, unsigned int count, enum page_state state)
{
	u64 start = HVA + first * 4096ull, end = start + count * 4096ull;
	unsigned int i;

	m.in_progress++;
	lkx_mmu_invalidate(&m.vm, start, end);
	model_drop_hva(start, end);
	for (i = first; i < first + count; i++) {
		if (state != PAGE_COW)
			m.page[i].pfn = ++m.frames;
		m.page[i].state = state;
	}
	m.sequence++;
	m.in_progress--;
}

void machine_host_set_area(unsigned int area, enum page_state state, bool large)
{
	u64 start = HVA + (AREAS_FROM + area * LARGE) * 4096ull, end = start + LARGE * 4096ull;
	struct host_area *a = &m.area[area];

	m.in_progress++;
	lkx_mmu_invalidate(&m.vm, start, end);
	model_drop_hva(start, end);
	/* Copy-on-write begins with the frames that are there. */
	if (state != PAGE_COW || large != a->large) {
		m.frames = (m.frames / LARGE + 1) * LARGE;
		a->first.pfn = m.frames;
		m.frames += LARGE;
	}
	a->first.state = state;
	a->large = large;
	m.sequence++;
	m.in_progress--;
}

bool machine_page(u64 index, struct host_page *page, bool *large)
{
	u64 of_areas = index - AREAS_FROM;

	*large = false;
	if (index < PAGES) {
		*page = m.page[index];
		return true;
	}
	if (of_areas >= AREAS * LARGE)
		return false;
	*page = m.area[of_areas / LARGE].first;
	page->pfn += of_areas % LARGE;
	*large = m.area[of_areas / LARGE].large;
	return true;
}

/* The host gives a page, and what it is one with, other frames. */
static void replace(u64 index, enum page_state state, bool large)
{
	if (index < PAGES)
		machine_host_set(index, 1, state);
	else
		machine_host_set_area((index - AREAS_FROM) / LARGE, state, large);
}

static int page_get(struct lkx_vm *vm, u64 hva, bool write, bool want_writable, struct plat_page *page)
{
	u64 index = (hva - HVA) / 4096;
	struct host_page p;
	bool large;

	CHECK(!vm->ept.lock.taken);
	if (hva < HVA || !machine_page(index, &p, &large))
		return -EFAULT;
	if (p.state == PAGE_GONE || (write && p.state == PAGE_PROTECTED))
		return -EFAULT;
	if (write && p.state == PAGE_COW) {
		replace(index, PAGE_PRESENT, false);
		machine_page(index, &p, &large);
	}
	*page = (struct plat_page){ .pfn = p.pfn, .writable = p.state == PAGE_PRESENT && want_writable, .ref = page };
	m.references++;
	if (m.race) {
		m.race = false;
		replace(index, p.state, large);
	}
	return 0;
}

static int user_read(struct lkx_hw *hw, void *to, u64 hva, size_t len)
{
	CHECK(!m.vm.ept.lock.taken);
	memcpy(to, (const void *)(uintptr_t)hva, len);
	return 0;
}

static int user_write(struct lkx_hw *hw, u64 hva, const void *from, size_t len)
{
	CHECK(!m.vm.ept.lock.taken);
	memcpy((void *)(uintptr_t)hva, from, len);
	return 0;
}

static void page_put(struct lkx_vm *vm, struct plat_page *page, bool dirtied)
{
	CHECK(page->ref == page && m.references);
	m.references--;
}

static u64 mmu_begin(struct lkx_vm *vm)
{
	return m.sequence;
}

static bool mmu_retry(struct lkx_vm *vm, u64 seq, u64 hva, u64 size)
{
	CHECK(vm->ept.lock.taken);
	return m.in_progress || m.sequence != seq;
}

static int pages_near(struct lkx_vm *vm, u64 hva, u32 count, u64 *near)
{
	bool large = false;
	u32 i;

	CHECK(count >= 1 && count <= 16);
	for (i = 0; i < count; i++) {
		struct host_page p;

		if (machine_page((hva - HVA) / 4096 + i, &p, &large) && p.state != PAGE_GONE)
			near[i] = p.pfn * 4096 | PLAT_NEAR_PRESENT | (p.state == PAGE_PRESENT ? PLAT_NEAR_WRITABLE : 0);
	}
	return large ? 2 : 1;
}

static bool slots_locked(struct lkx_vm *vm)
{
	return true;
}

static void kick_guests(struct lkx_vm *vm)
{
	unsigned int i;

	CHECK(!vm->ept.lock.taken);
	for (i = 0; i < VCPUS; i++)
		m.vcpu[i].mode = LKX_OUTSIDE_GUEST;
}

static void warn(struct lkx_hw *hw, const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: !(%s)\n", file, line, condition);
	abort();
}

static void invept(struct lkx_hw *hw, u64 type, u64 eptp)
{
	CHECK(type == INVEPT_GLOBAL || (type == INVEPT_SINGLE && eptp == m.vm.ept.eptp));
	memset(m.cached[machine_of(hw)->current], 0, sizeof(m.cached[0]));
}

/* Leaves what INVEPT is needed for, so that a missing one shows. */
static void invvpid(struct lkx_hw *hw, u64 type, u16 vpid, u64 gla)
{
	CHECK(type == INVVPID_SINGLE && vpid && !gla);
}

static void cpuid(struct lkx_hw *hw, u32 leaf, u32 sub, u32 out[4])
{
	memset(out, 0, 4 * sizeof(u32));
	out[0] = leaf == 0x80000000 ? 0x80000008 : 0x3028;
}

static const struct hw_ops processor = { .invept = invept, .invvpid = invvpid, .cpuid = cpuid };
static const struct plat_ops platform = {
	.user_read = user_read,
	.user_write = user_write,
	.page_get = page_get,
	.page_put = page_put,
	.mmu_begin = mmu_begin,
	.mmu_retry = mmu_retry,
	.pages_near = pages_near,
	.slots_locked = slots_locked,
	.kick_guests = kick_guests,
	.warn = warn,
};

void machine_start(bool access_dirty, bool invept_single, u8 ept_level)
{
	unsigned int i;

	m = (struct machine){ .hw = { .processor = &processor, .platform = &platform, .allocations_left = -1 } };
	m.caps.invept_single = invept_single;
	m.caps.ept_level = ept_level;
	m.vm.hw = &m.hw;
	m.vm.caps = &m.caps;
	CHECK(!lkx_ept_init(&m.vm, access_dirty));
	for (i = 0; i < VCPUS; i++) {
		m.vcpu[i].hw = &m.hw;
		m.vcpu[i].vm = &m.vm;
		m.vcpu[i].vpid = i + 1;
		m.vcpu[i].tlb_generation = LKX_TLB_STALE;
	}
	for (i = 0; i < PAGES; i++)
		m.page[i].pfn = ++m.frames;
	for (i = 0; i < AREAS; i++)
		machine_host_set_area(i, PAGE_PRESENT, true);
}

void machine_end(void)
{
	unsigned int i;

	for (i = 0; i < VCPUS; i++)
		lkx_ept_cache_drain(&m.hw, &m.vcpu[i].ept_cache);
	lkx_ept_destroy(&m.vm);
	lkx_memslots_destroy(&m.vm);
	/* The host may be late. */
	lkx_mmu_invalidate(&m.vm, 0, ~0ull);
	CHECK(!m.hw.pages && !m.hw.objects && !m.references && !m.vm.ept.lock.taken);
}

/* Reads an entry as a processor, which refuses reserved bits and sets `used` in it. SDM vol. 3, tables 28-1 to 28-6. */
static u64 use_entry(u64 *entry, int level, u64 used)
{
	u64 e = plat_load64(entry);
	bool large = level > 1 && level <= m.caps.ept_level && (e & EPT_LARGE), leaf = large || level == 1;
	u64 reserved = !leaf ? 0xf8 : !large ? 0x80 : ((1ull << (12 + 9 * (level - 1))) - 1) & EPT_ADDRESS;

	if (!(e & EPT_RWX))
		return 0;
	CHECK((e & EPT_READ) && !(e & reserved) && (!leaf || (e & 0x38) == EPT_MEMTYPE_WB));
	if (m.vm.ept.eptp & EPTP_ACCESS_DIRTY)
		__atomic_fetch_or(entry, used, __ATOMIC_SEQ_CST);
	return e;
}

static u64 walk(unsigned int name, u64 used)
{
	u64 gfn = gfn_of(name), *table = plat_virt(&m.hw, m.vm.ept.eptp & EPT_ADDRESS), e;
	int level;

	for (level = 4;; level--) {
		u64 *entry = &table[(gfn >> (9 * (level - 1))) % 512];

		e = use_entry(entry, level, level == 1 || (plat_load64(entry) & EPT_LARGE) ? used : used & EPT_ACCESSED);
		if (!e || level == 1)
			return e & (EPT_ADDRESS | EPT_RWX);
		if (e & EPT_LARGE)
			return (e & (EPT_ADDRESS | EPT_RWX)) + gfn % (1ull << (9 * (level - 1))) * 4096;
		table = plat_virt(&m.hw, e & EPT_ADDRESS);
	}
}

u64 machine_walk(unsigned int name)
{
	return walk(name, 0);
}

/* One attempt of the processor's. */
static bool translate(unsigned int vcpu, unsigned int name, bool write, u64 *pfn, u64 *qualification)
{
	u64 *cached = &m.cached[vcpu][name], need = write ? EPT_WRITE : EPT_READ;

	if (!(*cached & need))
		*cached = walk(name, EPT_ACCESSED | (write ? EPT_DIRTY : 0));
	if (!(*cached & need)) {
		*qualification = (write ? EPT_VIOLATION_WRITE : EPT_VIOLATION_READ) | (*cached & EPT_RWX) << EPT_VIOLATION_RWX_SHIFT;
		*cached = 0;
		return false;
	}
	*pfn = (*cached & EPT_ADDRESS) / 4096;
	return true;
}

int machine_access(unsigned int vcpu, unsigned int name, bool write, u64 *pfn)
{
	struct lkx_vcpu *v = &m.vcpu[vcpu];
	struct lkx_memslot slot;
	u64 qualification;
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		int err;

		m.current = vcpu;
		if (v->mode != LKX_IN_GUEST) {
			v->mode = LKX_IN_GUEST;
			lkx_tlb_sync(v);
		}
		if (translate(vcpu, name, write, pfn, &qualification))
			return 0;
		v->mode = LKX_OUTSIDE_GUEST;
		if (!lkx_memslot_find(&m.vm, gfn_of(name), &slot))
			return 1;
		err = lkx_tdp_map(v, gfn_of(name) * 4096, qualification, &slot);
		if (err && err != -EAGAIN)
			return err;
	}
	return -EAGAIN;
}
