// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "fake.h"
#include "tables.h"
#include <stdio.h>

static bool gone(struct fake *f, u64 hva, u64 len)
{
	return f->gone_to && hva < f->gone_to && hva + len > f->gone_from;
}

static int user_read(struct lkx_hw *hw, void *to, u64 hva, size_t len)
{
	struct fake *f = fake_of(hw);

	f->reads_of_user_memory++;
	if (gone(f, hva, len))
		return -EFAULT;
	memcpy(to, (const void *)(uintptr_t)hva, len);
	return 0;
}

static int user_write(struct lkx_hw *hw, u64 hva, const void *from, size_t len)
{
	struct fake *f = fake_of(hw);

	f->writes_of_user_memory++;
	if (gone(f, hva, len))
		return -EFAULT;
	memcpy((void *)(uintptr_t)hva, from, len);
	return 0;
}

static int user_cmpxchg(struct lkx_hw *hw, u64 hva, unsigned int size, u64 old, u64 new_value)
{
	struct fake *f = fake_of(hw);
	u64 now = 0;

	if (gone(f, hva, size))
		return -EFAULT;
	memcpy(&now, (void *)(uintptr_t)hva, size);
	if (f->interfere) {
		f->interfere--;
		now ^= f->interference;
		memcpy((void *)(uintptr_t)hva, &now, size);
	}
	if (now != old)
		return -EAGAIN;
	memcpy((void *)(uintptr_t)hva, &new_value, size);
	return 0;
}

static int page_get(struct lkx_vm *vm, u64 hva, bool write, bool want_writable, struct plat_page *page)
{
	struct fake *f = fake_of(vm->hw);

	if (f->page_get_fails || gone(f, hva, 1))
		return -EFAULT;
	f->page_gets++;
	*page = (struct plat_page){ .pfn = hva >> LKX_PAGE_SHIFT, .writable = want_writable };
	return 0;
}

static void page_put(struct lkx_vm *vm, struct plat_page *page, bool dirtied)
{
	fake_of(vm->hw)->page_puts++;
}

static u64 mmu_begin(struct lkx_vm *vm)
{
	return 0;
}

static bool mmu_retry(struct lkx_vm *vm, u64 seq, u64 hva, u64 size)
{
	return false;
}

static bool slots_locked(struct lkx_vm *vm)
{
	return true;
}

static void kick_guests(struct lkx_vm *vm)
{
	fake_of(vm->hw)->kicks++;
}

static int run_poll(struct lkx_vcpu *v)
{
	return fake_of(v->hw)->polled;
}

static bool entry_begin(struct lkx_vcpu *v)
{
	struct fake *f = fake_of(v->hw);

	if (f->refusals) {
		f->refusals--;
		return false;
	}
	f->begun++;
	return true;
}

static bool entry_pending(struct lkx_vcpu *v)
{
	struct fake *f = fake_of(v->hw);

	if (!f->pendings)
		return false;
	f->pendings--;
	return true;
}

static void host_event(struct lkx_vcpu *v, u32 interruption_info)
{
	fake_of(v->hw)->host_events++;
}

static void entry_end(struct lkx_vcpu *v)
{
	fake_of(v->hw)->ended++;
}

static u32 cpu(struct lkx_vcpu *v)
{
	return 0;
}

static void ioevent_signal(struct lkx_vm *vm, void *target)
{
	struct fake *f = fake_of(vm->hw);

	f->signals++;
	f->signalled = (uintptr_t)target;
}

static int lapic_create(struct lkx_vcpu *v)
{
	return 0;
}

static void lapic_destroy(struct lkx_vcpu *v)
{
}

static u64 now(struct lkx_hw *hw)
{
	return fake_of(hw)->now;
}

static void timer_set(struct lkx_vcpu *v, u64 at)
{
	fake_of(v->hw)->timer_at = at;
}

static void notify(struct lkx_vcpu *v, bool posted)
{
	fake_of(v->hw)->notified++;
	fake_of(v->hw)->posted += posted;
}

/* Nothing ever comes: a signal does. */
static int block(struct lkx_vcpu *v)
{
	fake_of(v->hw)->blocked++;
	return -EINTR;
}

static u64 guest_xcr0(struct lkx_hw *hw)
{
	return fake_of(hw)->host_xcr0;
}

static u32 tsc_khz(struct lkx_hw *hw)
{
	return 2000000;
}

static void host_clocks(struct lkx_hw *hw, struct lkx_host_clocks *now)
{
	*now = fake_of(hw)->clocks;
	now->tsc = fake_of(hw)->tsc;
}

static u64 run_delay(struct lkx_hw *hw)
{
	return fake_of(hw)->run_delay;
}

static void warn(struct lkx_hw *hw, const char *condition, const char *file, int line)
{
	fake_of(hw)->warnings++;
	fprintf(stderr, "%s:%d: must never hold: %s\n", file, line, condition);
}

const struct plat_ops fake_platform = {
	.user_read = user_read,
	.user_write = user_write,
	.user_cmpxchg = user_cmpxchg,
	.page_get = page_get,
	.page_put = page_put,
	.mmu_begin = mmu_begin,
	.mmu_retry = mmu_retry,
	.slots_locked = slots_locked,
	.kick_guests = kick_guests,
	.run_poll = run_poll,
	.entry_begin = entry_begin,
	.entry_pending = entry_pending,
	.host_event = host_event,
	.entry_end = entry_end,
	.cpu = cpu,
	.lapic_create = lapic_create,
	.lapic_destroy = lapic_destroy,
	.now = now,
	.timer_set = timer_set,
	.notify = notify,
	.block = block,
	.ioevent_signal = ioevent_signal,
	.guest_xcr0 = guest_xcr0,
	.tsc_khz = tsc_khz,
	.host_clocks = host_clocks,
	.run_delay = run_delay,
	.warn = warn,
};
