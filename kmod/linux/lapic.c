// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What local APICs need of Linux: a timer, and a vCPU that waits and is woken. */
#include "lapic.h"
#include "compat.h"
#include "likex.h"
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <asm/apic.h>
#include <trace/events/ipi.h> /* newer kernels' smp_send_reschedule is a macro that uses it */

/* A vCPU that is woken soon after it went to sleep looks around for a while the next time: sleeping and waking cost more than that. */
#define POLL_FIRST_NS 10000
static unsigned int halt_poll_ns = 200000;
module_param(halt_poll_ns, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns, "how long at most a halted vCPU keeps its CPU busy before it sleeps, in nanoseconds; 0: not at all");

static enum hrtimer_restart fired(struct hrtimer *timer)
{
	lkx_lapic_timer_fired(container_of(timer, struct lkx_lapic_host, timer)->vcpu);
	return HRTIMER_NORESTART;
}

int plat_lapic_create(struct lkx_vcpu *v)
{
	struct lkx_lapic_host *h = kzalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);

	if (!h)
		return -ENOMEM;
	h->vcpu = v;
	rcuwait_init(&h->wait);
	lkx_hrtimer_setup(&h->timer, fired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	linux_vcpu(v)->lapic = h;
	return 0;
}

void plat_lapic_destroy(struct lkx_vcpu *v)
{
	struct lkx_lapic_host *h = linux_vcpu(v)->lapic;

	/* Waits for one that is firing. Its message finds the vCPU, which is there until this returns. */
	hrtimer_cancel(&h->timer);
	linux_vcpu(v)->lapic = NULL;
	kfree(h);
}

void plat_timer_set(struct lkx_vcpu *v, u64 at)
{
	struct hrtimer *timer = &linux_vcpu(v)->lapic->timer;

	if (at)
		hrtimer_start(timer, ns_to_ktime(min_t(u64, at, KTIME_MAX)), HRTIMER_MODE_ABS_HARD);
	else
		hrtimer_cancel(timer);
}

void plat_notify(struct lkx_vcpu *v, bool posted)
{
	struct linux_vcpu *lv = linux_vcpu(v);
	int cpu;

	/* Both looks come after the request, and the request's before theirs: run.c, plat_block. */
	rcuwait_wake_up(&lv->lapic->wait);
	if (plat_load32(&v->mode) != LKX_IN_GUEST)
		return;
	cpu = READ_ONCE(lv->cpu);
	/* An interrupt that this very CPU is in has ended the lap already. */
	if (cpu < 0 || cpu == raw_smp_processor_id() || !cpu_online(cpu))
		return;
#ifdef POSTED_INTR_VECTOR
	BUILD_BUG_ON(POSTED_INTR_VECTOR != PLAT_NOTIFICATION_VECTOR);
#endif
	if (posted)
		apic->send_IPI(cpu, PLAT_NOTIFICATION_VECTOR);
	else
		smp_send_reschedule(cpu);
}

static bool wanted(struct lkx_vcpu *v)
{
	return (READ_ONCE(v->events.requests) & LKX_REQUEST_LAPIC) || signal_pending(current);
}

/* True: it came meanwhile. */
static bool poll(struct lkx_vcpu *v, u64 until)
{
	while (!wanted(v)) {
		if (need_resched() || ktime_get_ns() >= until)
			return false;
		cpu_relax();
	}
	return true;
}

int plat_block(struct lkx_vcpu *v)
{
	struct lkx_lapic_host *h = linux_vcpu(v)->lapic;
	u64 begin = ktime_get_ns(), limit = READ_ONCE(halt_poll_ns);

	if (!poll(v, begin + min(h->poll_ns, limit))) {
		prepare_to_rcuwait(&h->wait);
		for (;;) {
			set_current_state(TASK_INTERRUPTIBLE);
			if (wanted(v))
				break;
			schedule();
		}
		finish_rcuwait(&h->wait);
	}
	/* Polling that would have been long enough is worth it; for a long sleep none is. */
	h->poll_ns = ktime_get_ns() - begin > limit ? 0 : min(max(2 * h->poll_ns, (u64)POLL_FIRST_NS), limit);
	/* Whoever sends without end, or has a timer that does, keeps this thread neither from being killed nor from giving way. */
	cond_resched();
	return signal_pending(current) ? -EINTR : 0;
}
