// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* A vCPU with a local APIC: its birth, what comes for it, and the states in which it does not run. SDM vol. 3, 9.4 and 11.4.7. */
#include "events.h"
#include "lapic.h"
#include "state.h"

int lkx_lapics_enable(struct lkx_vm *vm, u64 pins)
{
	if (pins > LIKEX_MAX_IRQ_ROUTES)
		return -EINVAL;
	if (vm->irqchip_split || vm->has_vcpus)
		return -EEXIST;
	vm->ioapic_pins = pins;
	vm->irqchip_split = true;
	return 0;
}

/* A page, which may be there already, and its address in the VMCS. */
static bool set_page(struct lkx_vcpu *v, u32 field, void **page)
{
	if (!*page)
		*page = plat_page_alloc(v->hw);
	if (*page)
		hw_vmwrite(v->hw, field, plat_phys(v->hw, *page));
	return *page;
}

int lkx_lapic_create(struct lkx_vcpu *v)
{
	int r;

	if (!v->vm->irqchip_split)
		return 0;
	v->lapic = plat_alloc(v->hw, LKX_LAPIC_BYTES);
	if (!v->lapic)
		return -ENOMEM;
	r = plat_lapic_create(v);
	if (r) {
		plat_free(v->hw, v->lapic);
		v->lapic = NULL;
		return r;
	}
	if (v->vm->caps->virtual_interrupts) {
		if (!set_page(v, VMCS_VIRTUAL_APIC_ADDR, (void **)&v->lapic->page) ||
		    !set_page(v, VMCS_APIC_ACCESS_ADDR, &v->vm->apic_page))
			return -ENOMEM;
		vmcs_write32(v->hw, TPR_THRESHOLD, 0);
		if (v->vm->caps->posted_interrupts) {
			vmcs_write16(v->hw, POSTED_INTERRUPT_VECTOR, PLAT_NOTIFICATION_VECTOR);
			vmcs_write64(v->hw, POSTED_INTERRUPT_DESC_ADDR, plat_phys(v->hw, v->lapic));
		}
	}
	if (!(v->apic_base & APIC_BASE_BSP))
		v->mp_state = KVM_MP_STATE_UNINITIALIZED;
	lkx_lapic_reset(v, false);
	lkx_lapic_base_changed(v, 0);
	return 0;
}

void lkx_lapic_destroy(struct lkx_vcpu *v)
{
	if (!v->lapic)
		return;
	plat_lapic_destroy(v);
	if (v->lapic->page)
		plat_page_free(v->hw, v->lapic->page);
	plat_free(v->hw, v->lapic);
	v->lapic = NULL;
}

/* INIT, then a STARTUP that came behind it. */
static void take_init(struct lkx_vcpu *v, u64 posted)
{
	if (posted & LKX_POSTED_INIT) {
		lkx_vcpu_init_reset(v);
		lkx_lapic_reset(v, true);
		v->mp_state = v->apic_base & APIC_BASE_BSP ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
	}
	if ((posted & LKX_POSTED_STARTUP) && v->mp_state == KVM_MP_STATE_INIT_RECEIVED) {
		lkx_vcpu_start_up(v, posted >> 8);
		v->mp_state = KVM_MP_STATE_RUNNABLE;
	}
}

static void take_posted(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;
	u64 posted;

	if (!plat_load64(&l->posted))
		return;
	posted = plat_xchg64(&l->posted, 0);
	take_init(v, posted);
	if (posted & LKX_POSTED_TIMER)
		lkx_lapic_timer_expired(v);
	if (posted & LKX_POSTED_NMI)
		lkx_queue_nmi(v);
	if (posted & LKX_POSTED_BAD_VECTOR)
		lkx_lapic_error(v, LAPIC_ESR_BAD_VECTOR_RECEIVED);
	if (posted & LKX_POSTED_UNHALT)
		l->unhalted = true;
	if (posted & LKX_POSTED_ROUTES)
		lkx_lapic_follow_routes(v);
}

/* Is a HLT over? */
static bool ends_halt(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;
	struct lkx_events *e = &v->events;

	if (l->unhalted) {
		l->unhalted = false;
		return true;
	}
	if (e->exception_pending || e->exception_injected || e->interrupt_injected || e->nmi_injected || v->triple_fault)
		return true;
	if (e->nmi_pending && !(vmcs_read32(v->hw, GUEST_INTERRUPTIBILITY) & INTERRUPTIBILITY_NMI))
		return true;
	return (lkx_rflags(v) & RFLAGS_IF) &&
	       (e->interrupt_pending || lkx_lapic_highest(v) >= 0 || (l->extint_pending && lkx_lapic_accepts_extint(v)));
}

int lkx_lapic_look(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;
	struct kvm_run *run = v->run;
	int r;

	for (;;) {
		lkx_lapic_see_eoi(v);
		/* Once: what comes meanwhile is seen before the guest is entered, after signals. Others may send without end. */
		if (lkx_take_requests(v, LKX_REQUEST_LAPIC))
			take_posted(v);
		if (l->eoi_owed) {
			l->eoi_owed = false;
			run->exit_reason = KVM_EXIT_IOAPIC_EOI;
			run->eoi.vector = l->eoi_vector;
			lkx_request(v, LKX_REQUEST_LAPIC);
			return 0;
		}
		if (v->mp_state == KVM_MP_STATE_HALTED && ends_halt(v))
			v->mp_state = KVM_MP_STATE_RUNNABLE;
		if (v->mp_state == KVM_MP_STATE_RUNNABLE)
			return 1;
		lkx_lapic_timer_wait(v);
		r = plat_block(v);
		/* Who gave up looks again when KVM_RUN is called again. */
		if (r) {
			lkx_request(v, LKX_REQUEST_LAPIC);
			v->stats.signal_exits++;
			run->exit_reason = KVM_EXIT_INTR;
			return r;
		}
	}
}

int lkx_set_mp_state(struct lkx_vcpu *v, const struct kvm_mp_state *s)
{
	switch (s->mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		v->mp_state = s->mp_state;
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_SIPI_RECEIVED:
		/* Without a local APIC in the kernel nothing could wake it. */
		if (!v->lapic)
			return -EINVAL;
		v->mp_state = s->mp_state;
		if (s->mp_state != KVM_MP_STATE_SIPI_RECEIVED)
			break;
		v->mp_state = KVM_MP_STATE_INIT_RECEIVED;
		lkx_lapic_post(v, LKX_POSTED_STARTUP | (u64)v->lapic->startup_vector << 8);
		break;
	default:
		return -EINVAL;
	}
	if (v->lapic)
		lkx_request(v, LKX_REQUEST_LAPIC);
	return 0;
}

void lkx_get_mp_state(struct lkx_vcpu *v, struct kvm_mp_state *s)
{
	if (v->lapic)
		take_posted(v);
	s->mp_state = v->mp_state;
}
