// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A local APIC on a processor that does part of its work. SDM vol. 3, chapter 30.
 *
 * Its TPR and ISR are either where lapic.c works on them or, while `in_page`, in the virtual-APIC page, where the processor does: before an entry
 * they go there, and whoever wants them takes them out first. Without posted interrupts IRR stays here, and RVI is 0: interrupts are injected as on any
 * processor. Where one waits that their priority holds back, the processor leaves the APIC to this module until the guest has written what lets it
 * through.
 *
 * In x2APIC mode the ends of interrupts, the task priority and most reads cost no exit. (Virtual-interrupt delivery could do all the rest, too, but
 * without posted interrupts it saves no more than some interrupt-window exits; and the lab's processor delivers what waits in RVI when the host is
 * interrupted, be the guest's IF 0 or not: test_misc/lab/README.md.)
 *
 * With posted interrupts (SDM vol. 3, 30.6) it does the rest in x2APIC mode. `irr` is the posted-interrupt descriptor's: whoever sends sets a bit there,
 * makes the request and notifies, as ever. What is different is the notification of a vCPU in the guest. It is an interrupt of
 * PLAT_NOTIFICATION_VECTOR, for which the processor takes all of `irr` into the page's IRR (VIRR) and what is highest there into RVI, delivers that
 * when the guest's IF and priority let it, and exits for none of this. Before an entry this module does the same (post). So an interrupt is in `irr`
 * or in VIRR until it is in service, and in one of them only: whoever wants IRR takes VIRR back first, and RVI goes by what the page has then.
 *
 *   - The request is made in any case, and looked at before each entry: a notification that comes when its vCPU has just left the guest, or another
 *     runs there, finds nothing to do, and the bit in `irr` must not wait for the next one. What that costs is a look around at the next exit.
 *   - Who asks whether interrupts are posted to a vCPU (lkx_lapic_is_posted_to) may be told what was true a moment ago. A notification where they are
 *     not ends the lap, as any interrupt does, and so does an ordinary interrupt where they are.
 *   - What came besides interrupts (l->posted) needs an exit, and is notified so.
 *   - Nothing here is for events.c to inject (lkx_lapic_offer), but ExtINT, and an interrupt on whose way to its handler the guest exited: that one is in
 *     service, and IDT-vectoring information has it. While it or ExtINT wait for a window the processor recognizes none of its own. SDM vol. 3, 30.2.1.
 *   - A guest's IPI to itself is in VIRR and RVI without an exit: its MSR is passed through.
 *
 * In xAPIC mode that are the task priority, nearly all reads, and ICR's high half. Other writes the processor does in the page, and then exits, behind
 * the instruction. Ends of interrupts are among them: what could do these is virtual-interrupt delivery, and with that a guest's IPI to itself goes
 * by way of RVI, which no control prevents here. The page answers reads of IRR and TMR, too: what comes for a vCPU makes it leave the guest, and then
 * they go there with the rest. (What a guest has ended by PV EOI it finds in ISR until its next exit. It has no reason to look.)
 *
 * The APIC-access page, whose content nobody uses, is the VM's own, and in its EPT only where each of its vCPUs virtualizes the accesses to it. For
 * one in x2APIC mode, or with its registers elsewhere, or none, it would be memory: with the first of these it is withdrawn, for good, before that
 * vCPU is entered, and the APICs that are still there are reached by EPT violations as on any processor. So it is where a slot has the address.
 */
#include "exits.h"
#include "lapic.h"
#include "msr.h"
#include "routing.h"

#define ACCESSES CTRL(PROC2, VIRTUALIZE_APIC_ACCESSES)
#define REGISTERS CTRL(PROC2, APIC_REGISTER_VIRTUALIZATION)
#define APIC_GFN (APIC_BASE_DEFAULT >> LKX_PAGE_SHIFT)
#define PAGE_STRIDE 4 /* in 32-bit words: registers are 16 bytes apart */
#define PROC_TOGGLED (CTRL(PROC, TPR_SHADOW) | CTRL(PROC, CR8_LOAD_EXITING) | CTRL(PROC, CR8_STORE_EXITING))

static u32 *word(const struct lkx_lapic *l, u32 reg)
{
	return &l->page[reg * PAGE_STRIDE];
}

/* 64 of 256 bits. */
static u64 get(const u32 *from)
{
	return from[0] | (u64)from[PAGE_STRIDE] << 32;
}

static void put(u32 *to, u64 bits)
{
	to[0] = bits;
	to[PAGE_STRIDE] = bits >> 32;
}

/* Back to what came meanwhile. */
static void take_back(u64 *irr, u32 *from)
{
	u64 bits = get(from), old;

	put(from, 0);
	while (bits) {
		old = plat_load64(irr);
		if (plat_cmpxchg64(irr, old, old | bits) == old)
			return;
	}
}

void lkx_lapic_unload(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;
	bool posted = lkx_lapic_is_posted_to(v);
	u32 i;

	if (!l->in_page)
		return;
	l->in_page = false;
	for (i = 0; i < 4; i++) {
		l->isr[i] = get(word(l, LAPIC_ISR + 2 * i));
		if (posted)
			take_back(&l->irr[i], word(l, LAPIC_IRR + 2 * i));
	}
	if (l->controls & ACCESSES)
		l->reg[LAPIC_ICR2] = *word(l, LAPIC_ICR2) & 0xff000000;
	l->reg[LAPIC_TPR] = *word(l, LAPIC_TPR) & 0xff;
	v->cr8 = l->reg[LAPIC_TPR] >> 4;
}

void lkx_lapic_recall(struct lkx_vcpu *v)
{
	v->lapic->registers_in_page = false;
	if (!v->lapic->in_page)
		return;
	lkx_lapic_unload(v);
	lkx_request(v, LKX_REQUEST_LAPIC);
}

void lkx_lapic_leave(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;

	lkx_lapic_see_eoi(v);
	if (l->in_page)
		v->cr8 = *word(l, LAPIC_TPR) >> 4 & 15;
}

void lkx_lapic_follow_routes(struct lkx_vcpu *v)
{
	const struct lkx_routes *table;
	u32 i;

	plat_rcu_lock(v->hw);
	table = plat_rcu_load(v->hw, v->vm->routes);
	for (i = 0; i < 4; i++)
		hw_vmwrite(v->hw, VMCS_EOI_EXIT_BITMAP0 + 2 * i, table ? table->level[i] : 0);
	plat_rcu_unlock(v->hw);
}

bool lkx_lapic_set_page(struct lkx_vm *vm, struct lkx_ept_cache *cache)
{
	bool there, owed;
	u64 gfn = APIC_GFN;

	plat_spin_lock(vm->hw, &vm->ept.lock);
	if (!cache)
		vm->apic_page_withdrawn = true;
	there = !vm->apic_page_withdrawn;
	if (there)
		lkx_ept_map(vm, cache, gfn, plat_phys(vm->hw, vm->apic_page) >> LKX_PAGE_SHIFT, 1, EPT_READ | EPT_WRITE, NULL);
	else
		lkx_ept_zap_some(vm, &gfn, gfn + 1, NULL);
	owed = lkx_tlb_owed(vm);
	plat_spin_unlock(vm->hw, &vm->ept.lock);
	if (owed)
		lkx_tlb_flush(vm);
	return there;
}

bool lkx_lapic_map(struct lkx_vcpu *v, u64 gpa, u64 qualification)
{
	/* No access that the processor would take for one to memory, and none that it would not let through again. */
	if (gpa >> LKX_PAGE_SHIFT != APIC_GFN || !(v->lapic->controls & ACCESSES) || (qualification & EPT_VIOLATION_FETCH) ||
	    lkx_ept_cache_fill(v->hw, &v->ept_cache))
		return false;
	return lkx_lapic_set_page(v->vm, &v->ept_cache);
}

/*
 * What the processor has done of the guest's accesses, and is not to be skipped: SDM vol. 3, 30.1.4 and 30.4.3.3. And what it does not do: exit
 * qualification as in table 28-6.
 */
int lkx_exit_virtual_apic(struct lkx_vcpu *v)
{
	u32 q = v->exit.qualification, offset = LKX_PAGE_OFFSET(q), type = q >> 12 & 15, value;
	struct lkx_lapic *l = v->lapic;

	if (!l || !l->page)
		return lkx_exit_unexpected(v);
	if (v->exit.reason == EXIT_APIC_ACCESS) {
		v->exit.gpa = APIC_BASE_DEFAULT | offset;
		/* 0 and 1: an instruction's own read and write. The others nobody can finish. */
		return lkx_exit_no_memory(v, type > 1 ? 0 : EPT_VIOLATION_GLA_VALID | EPT_VIOLATION_GLA_ACCESS | EPT_VIOLATION_READ << type);
	}
	if (v->exit.reason == EXIT_APIC_WRITE) {
		offset = offset / 16 % LAPIC_REGISTERS;
		value = *word(l, offset);
		/* The page has it all anew before the next entry: what such a register doesn't take is not read back. */
		lkx_lapic_recall(v);
		lkx_lapic_write(v, offset, value, lkx_lapic_x2apic(v));
	} else {
		lkx_lapic_interrupt_over(v, q);
	}
	return 1;
}

static void change_controls(struct lkx_vcpu *v, u32 controls)
{
	struct lkx_lapic *l = v->lapic;
	u32 changed = l->controls ^ controls;

	lkx_lapic_unload(v);
	plat_store32(&l->controls, controls);
	if (changed & REGISTERS) {
		v->proc_controls ^= PROC_TOGGLED;
		vmcs_write32(v->hw, PROC_CONTROLS, v->proc_controls);
	}
	/* What is cached of the page's address may be of the time when it was none of the APIC's. */
	if (changed & ACCESSES)
		v->tlb_generation = LKX_TLB_STALE;
	vmcs_write32(v->hw, PROC2_CONTROLS, vmcs_read32(v->hw, PROC2_CONTROLS) ^ changed);
	if (v->vm->caps->posted_interrupts && (changed & CTRL(PROC2, VIRTUAL_INTERRUPT_DELIVERY)))
		vmcs_write32(v->hw, PIN_CONTROLS, vmcs_read32(v->hw, PIN_CONTROLS) ^ CTRL(PIN, POSTED_INTERRUPTS));
	lkx_msr_bitmap_follow(v);
	lkx_lapic_follow_routes(v);
}

static void put_all(u32 *to, const u64 bits[4])
{
	u32 i;

	for (i = 0; i < 4; i++, to += 2 * PAGE_STRIDE)
		put(to, plat_load64(&bits[i]));
}

/* What came goes to where the processor has what it has yet to deliver. Its highest, for RVI, or 0. */
static u8 post(struct lkx_lapic *l)
{
	u32 *to = word(l, LAPIC_IRR), i;
	u8 highest = 0;

	for (i = 0; i < 4; i++, to += 2 * PAGE_STRIDE) {
		u64 bits = get(to);

		if (plat_load64(&l->irr[i]))
			put(to, bits |= plat_xchg64(&l->irr[i], 0));
		if (bits)
			highest = i * 64 + 63 - __builtin_clzll(bits);
	}
	return highest;
}

void lkx_lapic_load(struct lkx_vcpu *v)
{
	struct lkx_lapic *l = v->lapic;
	u32 controls = l->offered, i;
	bool posts = lkx_lapic_posts(v);
	u16 status;

	if (controls && !posts && ((v->guest_debug & KVM_GUESTDBG_BLOCKIRQ) || lkx_lapic_holds_back(v)))
		controls &= ACCESSES;
	if (controls != l->controls)
		change_controls(v, controls);
	if (!(controls & REGISTERS) || (l->in_page && !posts))
		return;
	if (l->in_page) {
		status = vmcs_read16(v->hw, GUEST_INTERRUPT_STATUS) & 0xff00;
	} else {
		for (i = 0; i < LAPIC_REGISTERS && !l->registers_in_page; i++)
			*word(l, i) = l->reg[i];
		l->in_page = l->registers_in_page = true;
		*word(l, LAPIC_TPR) = l->reg[LAPIC_TPR];
		put_all(word(l, LAPIC_ISR), l->isr);
		if (controls & ACCESSES) {
			put_all(word(l, LAPIC_TMR), l->tmr);
			put_all(word(l, LAPIC_IRR), l->irr);
		}
		/* SVI is what is in service, or 0. The processor finds its PPR at entry. */
		status = max(lkx_lapic_in_service(v), 0) << 8;
	}
	if (posts)
		status |= post(l);
	vmcs_write16(v->hw, GUEST_INTERRUPT_STATUS, status);
}

void lkx_lapic_pass_through(u8 *page, bool posted)
{
	u32 reg;

	for (reg = 0; reg < LAPIC_REGISTERS; reg++)
		if (lkx_lapic_reads_plainly(reg))
			page[(LAPIC_MSR_FIRST + reg) / 8] &= ~(1u << (reg % 8));
	/* Writes. */
	page[2048 + (LAPIC_MSR_FIRST + LAPIC_TPR) / 8] &= ~(1u << (LAPIC_TPR % 8) | 1u << (LAPIC_EOI % 8));
	if (posted)
		page[2048 + (LAPIC_MSR_FIRST + LAPIC_SELF_IPI) / 8] &= ~(1u << (LAPIC_SELF_IPI % 8));
}
