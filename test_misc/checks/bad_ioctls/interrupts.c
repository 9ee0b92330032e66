// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Wrong (and barely right) interrupts: local APICs, messages, routes, eventfds.
#include "rows.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

static long enable(int vm, uint32_t cap, uint64_t argument)
{
	struct kvm_enable_cap request = { .cap = cap, .args = { argument } };

	return ioctl(vm, KVM_ENABLE_CAP, &request);
}

static long set_lapic(struct setup *s, int byte, uint32_t at, uint32_t value)
{
	struct kvm_lapic_state state;

	if (byte)
		memset(&state, byte, sizeof(state));
	else if (ioctl(s->vcpu, KVM_GET_LAPIC, &state))
		return -1;
	if (at)
		memcpy(state.regs + at, &value, 4);
	return ioctl(s->vcpu, KVM_SET_LAPIC, &state);
}

// Another VM and vCPU in the place of the set-up's, with local APICs. Stock KVM finds one by its ID only after something of it was set.
static void split(struct setup *s)
{
	s->vm = ioctl(s->system, KVM_CREATE_VM, 0);
	enable(s->vm, KVM_CAP_SPLIT_IRQCHIP, 24);
	s->vcpu = ioctl(s->vm, KVM_CREATE_VCPU, 0);
	set_lapic(s, 0, 0, 0);
	errno = 0;
}

#define SPLIT_ROW(NAME, ...) ROW(NAME) { split(s); __VA_ARGS__; }
// Without and with a local APIC: NULL, an address of the kernel, cut off by a page without rights.
#define POINTER_ROWS(NAME, FILE, REQUEST) \
	ROW(NAME##_null) { return ioctl(s->FILE, REQUEST, 0); } \
	SPLIT_ROW(NAME##_split_null, return ioctl(s->FILE, REQUEST, 0)) \
	SPLIT_ROW(NAME##_split_kernel_address, return ioctl(s->FILE, REQUEST, KERNEL_ADDRESS)) \
	SPLIT_ROW(NAME##_split_cut_off, return ioctl(s->FILE, REQUEST, before_closed_page(4)))

POINTER_ROWS(get_lapic, vcpu, KVM_GET_LAPIC)
POINTER_ROWS(set_lapic, vcpu, KVM_SET_LAPIC)
POINTER_ROWS(signal_msi, vm, KVM_SIGNAL_MSI)
POINTER_ROWS(set_gsi_routing, vm, KVM_SET_GSI_ROUTING)
POINTER_ROWS(irqfd, vm, KVM_IRQFD)
POINTER_ROWS(irq_line, vm, KVM_IRQ_LINE)
POINTER_ROWS(irq_line_status, vm, KVM_IRQ_LINE_STATUS)
POINTER_ROWS(vapic, vcpu, KVM_SET_VAPIC_ADDR)

// --- local APICs ---

SPLIT_ROW(lapic_as_it_is, return set_lapic(s, 0, 0, 0))
SPLIT_ROW(lapic_all_ones, return set_lapic(s, 0xff, 0, 0))
SPLIT_ROW(lapic_of_another, return set_lapic(s, 0, 0x20, 5u << 24))
SPLIT_ROW(lapic_interrupts_below_16, return set_lapic(s, 0, 0x200, 0xffff))

static long set_mp_state(struct setup *s, uint32_t state)
{
	struct kvm_mp_state value = { .mp_state = state };

	return ioctl(s->vcpu, KVM_SET_MP_STATE, &value);
}

SPLIT_ROW(mp_state_halted_split, return set_mp_state(s, KVM_MP_STATE_HALTED))
SPLIT_ROW(mp_state_init_split, return set_mp_state(s, KVM_MP_STATE_INIT_RECEIVED))
SPLIT_ROW(mp_state_uninitialized_split, return set_mp_state(s, KVM_MP_STATE_UNINITIALIZED))
SPLIT_ROW(mp_state_stopped_split, return set_mp_state(s, KVM_MP_STATE_STOPPED))
SPLIT_ROW(mp_state_unknown_split, return set_mp_state(s, 0x1000))

static long interrupt(struct setup *s, uint32_t vector)
{
	struct kvm_interrupt value = { .irq = vector };

	return ioctl(s->vcpu, KVM_INTERRUPT, &value);
}

SPLIT_ROW(interrupt_256_split, return interrupt(s, 256))
SPLIT_ROW(interrupt_twice_split, interrupt(s, 0x40); return interrupt(s, 0x41))

ROW(split_after_vcpu) { return enable(s->vm, KVM_CAP_SPLIT_IRQCHIP, 24); }
SPLIT_ROW(split_twice, return enable(s->vm, KVM_CAP_SPLIT_IRQCHIP, 24))

static long split_of(struct setup *s, uint64_t pins)
{
	return enable(ioctl(s->system, KVM_CREATE_VM, 0), KVM_CAP_SPLIT_IRQCHIP, pins);
}

ROW(split_no_pins) { return split_of(s, 0); }
ROW(split_most_pins) { return split_of(s, 4096); }
ROW(split_too_many_pins) { return split_of(s, 4097); }
ROW(split_64_bit_pins) { return split_of(s, 1ull << 32); }
ROW(x2apic_api_unknown) { return enable(s->vm, KVM_CAP_X2APIC_API, 1ull << 40); }

// --- messages and routes ---

static long message(struct setup *s, uint64_t address, uint32_t data, uint32_t flags)
{
	struct kvm_msi value = { .address_lo = (uint32_t)address, .address_hi = address >> 32, .data = data, .flags = flags };

	return ioctl(s->vm, KVM_SIGNAL_MSI, &value);
}

ROW(msi_without_irqchip) { return message(s, 0xfee00000, 0x40, 0); }
SPLIT_ROW(msi_apic_off, return message(s, 0xfee00000, 0x40, 0))
SPLIT_ROW(msi_to_nobody, return message(s, 0xfee05000, 0x40, 0))
SPLIT_ROW(msi_nmi, return message(s, 0xfee00000, 0x400, 0))
SPLIT_ROW(msi_device, return message(s, 0xfee00000, 0x40, KVM_MSI_VALID_DEVID))
SPLIT_ROW(msi_flags, return message(s, 0xfee00000, 0x40, 2))
SPLIT_ROW(msi_upper_half, return message(s, 0x1fee00000, 0x400, 0))
SPLIT_ROW(msi_upper_half_of_ids, enable(s->vm, KVM_CAP_X2APIC_API, 1); return message(s, 0x1fee00000, 0x400, 0))

struct routing {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry entry[2];
};

static long set_routing(struct setup *s, struct kvm_irq_routing head, struct kvm_irq_routing_entry a, struct kvm_irq_routing_entry b)
{
	struct routing value = { .head = head, .entry = { a, b } };

	return ioctl(s->vm, KVM_SET_GSI_ROUTING, &value);
}

#define HEAD(...) ((struct kvm_irq_routing){ __VA_ARGS__ })
#define ENTRY(...) ((struct kvm_irq_routing_entry){ __VA_ARGS__ })
#define MSI(GSI, ...) ENTRY(.gsi = GSI, .type = KVM_IRQ_ROUTING_MSI, .u.msi.address_lo = 0xfee00000, __VA_ARGS__)
#define ROUTING_ROW(NAME, NR, A, B) SPLIT_ROW(routing_##NAME, return set_routing(s, HEAD(.nr = NR), A, B))

ROW(routing_without_irqchip) { return set_routing(s, HEAD(.nr = 1), MSI(1), MSI(2)); }
ROUTING_ROW(none, 0, MSI(1), MSI(1))
ROUTING_ROW(two, 2, MSI(1), MSI(2))
ROUTING_ROW(twice, 2, MSI(1), MSI(1))
ROUTING_ROW(last, 1, MSI(4095), MSI(1))
ROUTING_ROW(past_the_last, 1, MSI(4096), MSI(1))
ROUTING_ROW(negative, 2, MSI(1), MSI(0xffffffff))
ROUTING_ROW(device, 1, MSI(1, .flags = KVM_MSI_VALID_DEVID), MSI(1))
ROUTING_ROW(entry_flags, 1, MSI(1, .flags = 0x80000000), MSI(1))
ROUTING_ROW(irqchip, 1, ENTRY(.gsi = 1, .type = KVM_IRQ_ROUTING_IRQCHIP), MSI(1))
ROUTING_ROW(hyperv, 1, ENTRY(.gsi = 1, .type = KVM_IRQ_ROUTING_HV_SINT), MSI(1))
ROUTING_ROW(adapter, 1, ENTRY(.gsi = 1, .type = KVM_IRQ_ROUTING_S390_ADAPTER), MSI(1))
ROUTING_ROW(no_type, 1, ENTRY(.gsi = 1), MSI(1))
SPLIT_ROW(routing_flags, return set_routing(s, HEAD(.nr = 1, .flags = 1), MSI(1), MSI(2)))
SPLIT_ROW(routing_4097, return set_routing(s, HEAD(.nr = 4097), MSI(1), MSI(2)))
SPLIT_ROW(routing_2_to_the_32, return set_routing(s, HEAD(.nr = ~0u), MSI(1), MSI(2)))

SPLIT_ROW(routing_entries_cut_off,
	struct kvm_irq_routing *at = before_closed_page(sizeof(*at) + 8);
	*at = HEAD(.nr = 1);
	return ioctl(s->vm, KVM_SET_GSI_ROUTING, at))

SPLIT_ROW(routing_upper_half_of_ids,
	enable(s->vm, KVM_CAP_X2APIC_API, 1);
	return set_routing(s, HEAD(.nr = 1), MSI(1, .u.msi.address_hi = 0x80), MSI(2)))

// --- lines ---

// What KVM_IRQ_LINE_STATUS says of it, from 100 on.
static long line(struct setup *s, uint32_t gsi, uint32_t level)
{
	struct kvm_irq_routing_entry nobody = { .gsi = 3, .type = KVM_IRQ_ROUTING_MSI, .u.msi = { .address_lo = 0xfee05000, .data = 0x40 } };
	struct kvm_irq_level value = { .irq = gsi, .level = level };

	set_routing(s, HEAD(.nr = 2), MSI(1, .u.msi.data = 0x400), nobody);
	if (ioctl(s->vm, KVM_IRQ_LINE, &value))
		return -1;
	value = (struct kvm_irq_level){ .irq = gsi, .level = level };
	return ioctl(s->vm, KVM_IRQ_LINE_STATUS, &value) ? -1 : value.status + 100;
}

SPLIT_ROW(irq_line_nmi, return line(s, 1, 1))
SPLIT_ROW(irq_line_level_2, return line(s, 1, 2))
SPLIT_ROW(irq_line_down, return line(s, 1, 0))
SPLIT_ROW(irq_line_to_nobody, return line(s, 3, 1))
SPLIT_ROW(irq_line_no_route, return line(s, 2, 1))
SPLIT_ROW(irq_line_past_the_last, return line(s, 4096, 1))
SPLIT_ROW(irq_line_negative, return line(s, ~0u, 1))
ROW(irq_line_on_vcpu) { return ioctl(s->vcpu, KVM_IRQ_LINE, 0) ? 1 : 0; }

static long vapic(struct setup *s, uint64_t address)
{
	struct kvm_vapic_addr value = { address };

	return ioctl(s->vcpu, KVM_SET_VAPIC_ADDR, &value);
}

ROW(vapic_without_irqchip) { return vapic(s, 0); }
SPLIT_ROW(vapic_none, return vapic(s, 0))
SPLIT_ROW(vapic_in_memory, set_region(s, 0, 0, 0, MEMORY_SIZE, (uintptr_t)s->memory); return vapic(s, 0x1000))

// --- eventfds ---

static long irqfd(struct setup *s, int fd, uint32_t gsi, uint32_t flags)
{
	struct kvm_irqfd value = { .fd = fd, .gsi = gsi, .flags = flags, .resamplefd = eventfd(0, 0) };

	return ioctl(s->vm, KVM_IRQFD, &value);
}

ROW(irqfd_without_irqchip) { return irqfd(s, eventfd(0, 0), 1, 0); }
ROW(irqfd_away_without_irqchip) { return irqfd(s, eventfd(0, 0), 1, KVM_IRQFD_FLAG_DEASSIGN); }
SPLIT_ROW(irqfd_one, return irqfd(s, eventfd(0, 0), 1, 0))
SPLIT_ROW(irqfd_any_number, return irqfd(s, eventfd(0, 0), ~0u, 0))
SPLIT_ROW(irqfd_resample, return irqfd(s, eventfd(0, 0), 1, KVM_IRQFD_FLAG_RESAMPLE))
SPLIT_ROW(irqfd_flags, return irqfd(s, eventfd(0, 0), 1, 4))
SPLIT_ROW(irqfd_no_file, return irqfd(s, -1, 1, 0))
SPLIT_ROW(irqfd_closed_file, int fd = eventfd(0, 0); close(fd); return irqfd(s, fd, 1, KVM_IRQFD_FLAG_DEASSIGN))
SPLIT_ROW(irqfd_of_a_vm, return irqfd(s, s->vm, 1, 0))
SPLIT_ROW(irqfd_away_of_a_vm, return irqfd(s, s->vm, 1, KVM_IRQFD_FLAG_DEASSIGN))
SPLIT_ROW(irqfd_twice, int fd = eventfd(0, 0); irqfd(s, fd, 1, 0); return irqfd(s, fd, 2, 0))
SPLIT_ROW(irqfd_away_of_none, return irqfd(s, eventfd(0, 0), 1, KVM_IRQFD_FLAG_DEASSIGN))
SPLIT_ROW(irqfd_away_with_resample,
	return irqfd(s, eventfd(0, 0), 1, KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
