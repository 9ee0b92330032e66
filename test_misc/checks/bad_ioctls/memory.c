// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Wrong memory slots and wrong calls on the VM.
#include "rows.h"

#include "../../../kmod/include/uapi/likex.h"

#include <sys/mman.h>
#include <unistd.h>

#define HERE ((uint64_t)(uintptr_t)s->memory)

static long slots(struct setup *s) { return ioctl(s->vm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS); }

ROW(region_null) { return ioctl(s->vm, KVM_SET_USER_MEMORY_REGION, 0); }
ROW(region_kernel_address) { return ioctl(s->vm, KVM_SET_USER_MEMORY_REGION, KERNEL_ADDRESS); }
ROW(region_cut_off) { return ioctl(s->vm, KVM_SET_USER_MEMORY_REGION, before_closed_page(16)); }
ROW(region2_null) { return ioctl(s->vm, KVM_SET_USER_MEMORY_REGION2, 0); }
ROW(region2_cut_off) { return ioctl(s->vm, KVM_SET_USER_MEMORY_REGION2, before_closed_page(32)); }
static long set_region2(struct setup *s, uint32_t flags, uint64_t size)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = 1, .flags = flags, .guest_phys_addr = 0x100000, .memory_size = size, .userspace_addr = HERE,
		// They count with KVM_MEM_GUEST_MEMFD only.
		.guest_memfd_offset = 123, .guest_memfd = 456,
	};

	return ioctl(s->vm, KVM_SET_USER_MEMORY_REGION2, &region);
}
ROW(region2_good) { return set_region2(s, 0, 0x1000); }
ROW(region2_read_only) { return set_region2(s, KVM_MEM_READONLY, 0x1000); }
ROW(region2_size_not_pages) { return set_region2(s, 0, 0x1001); }
ROW(region2_guest_memfd) { return set_region2(s, KVM_MEM_GUEST_MEMFD, 0x1000); }
ROW(region2_flag_unknown) { return set_region2(s, 0x80000000, 0x1000); }
ROW(region2_delete_of_none) { return set_region2(s, 0, 0); }
ROW(region2_on_vcpu) { return ioctl(s->vcpu, KVM_SET_USER_MEMORY_REGION2, before_closed_page(160)); }

static long pre_fault(struct setup *s, uint64_t gpa, uint64_t size, uint64_t flags)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = size, .flags = flags };
	long r = ioctl(s->vcpu, KVM_PRE_FAULT_MEMORY, &range);

	// What is left of it is told.
	return r ? r : (long)range.size;
}
ROW(pre_fault_null) { return ioctl(s->vcpu, KVM_PRE_FAULT_MEMORY, 0); }
ROW(pre_fault_cut_off) { return ioctl(s->vcpu, KVM_PRE_FAULT_MEMORY, before_closed_page(32)); }
ROW(pre_fault_answer_read_only) { return ioctl(s->vcpu, KVM_PRE_FAULT_MEMORY, readonly_page()); }
ROW(pre_fault_all) { return pre_fault(s, 0, MEMORY_SIZE, 0); }
ROW(pre_fault_twice) { return pre_fault(s, 0x1000, 0x3000, 0) ?: pre_fault(s, 0, 0x5000, 0); }
ROW(pre_fault_beyond) { return pre_fault(s, MEMORY_SIZE - 0x1000, 0x3000, 0); }
ROW(pre_fault_nowhere) { return pre_fault(s, 0x100000, 0x1000, 0); }
ROW(pre_fault_unmapped)
{
	munmap(s->memory, MEMORY_SIZE);
	return pre_fault(s, 0, 0x1000, 0);
}
ROW(pre_fault_nothing) { return pre_fault(s, 0, 0, 0); }
ROW(pre_fault_misaligned) { return pre_fault(s, 0x800, 0x1000, 0); }
ROW(pre_fault_size_not_pages) { return pre_fault(s, 0, 0x1001, 0); }
ROW(pre_fault_wraps) { return pre_fault(s, 0xfffffffffffff000, 0x2000, 0); }
ROW(pre_fault_flag) { return pre_fault(s, 0, 0x1000, 1); }
ROW(pre_fault_on_vm) { return ioctl(s->vm, KVM_PRE_FAULT_MEMORY, before_closed_page(64)); }

ROW(region_size_not_pages) { return set_region(s, 1, 0, 0x100000, 0x1001, HERE); }
ROW(region_size_half_a_page) { return set_region(s, 1, 0, 0x100000, 0x800, HERE); }
ROW(region_base_misaligned) { return set_region(s, 1, 0, 0x100800, 0x1000, HERE); }
ROW(region_address_misaligned) { return set_region(s, 1, 0, 0x100000, 0x1000, HERE + 8); }
ROW(region_flag_unknown) { return set_region(s, 1, 0x80000000, 0x100000, 0x1000, HERE); }
ROW(region_flag_guest_memfd) { return set_region(s, 1, 4, 0x100000, 0x1000, HERE); }
ROW(region_all_flags) { return set_region(s, 1, 0xffffffff, 0x100000, 0x1000, HERE); }
ROW(region_log_dirty) { return set_region(s, 1, KVM_MEM_LOG_DIRTY_PAGES, 0x100000, 0x1000, HERE); }
ROW(region_last_slot) { return set_region(s, slots(s) - 1, 0, 0x100000, 0x1000, HERE); }
ROW(region_slot_too_large) { return set_region(s, slots(s), 0, 0x100000, 0x1000, HERE); }
ROW(region_slot_ffff) { return set_region(s, 0xffff, 0, 0x100000, 0x1000, HERE); }
ROW(region_address_space_1) { return set_region(s, 0x10001, 0, 0x100000, 0x1000, HERE); }
ROW(region_address_space_2) { return set_region(s, 0x20001, 0, 0x100000, 0x1000, HERE); }
ROW(region_slot_all_ones) { return set_region(s, 0xffffffff, 0, 0x100000, 0x1000, HERE); }
ROW(region_base_wraps) { return set_region(s, 1, 0, 0xfffffffffffff000, 0x2000, HERE); }
ROW(region_base_too_high) { return set_region(s, 1, 0, 1ull << 52, 0x1000, HERE); }
ROW(region_address_wraps) { return set_region(s, 1, 0, 0x100000, 0x2000, 0xfffffffffffff000); }
ROW(region_address_of_kernel) { return set_region(s, 1, 0, 0x100000, 0x1000, KERNEL_ADDRESS); }
ROW(region_address_not_canonical) { return set_region(s, 1, 0, 0x100000, 0x1000, 1ull << 47); }
ROW(region_address_into_kernel) { return set_region(s, 1, 0, 0x100000, 0x10000, 0x7fffffff0000); }
ROW(region_huge) { return set_region(s, 1, 0, 0x100000, 1ull << 43, HERE); }
ROW(region_size_all_ones) { return set_region(s, 1, 0, 0x100000, ~0xfffull, HERE); }
ROW(region_not_mapped) { return set_region(s, 1, 0, 0x100000, 0x1000, 0x10000); }
ROW(region_overlaps_all) { return set_region(s, 1, 0, 0, MEMORY_SIZE, HERE); }
ROW(region_overlaps_front) { return set_region(s, 1, 0, 0xf000, 0x2000, HERE); }
ROW(region_overlaps_within) { return set_region(s, 1, 0, 0x4000, 0x1000, HERE); }
ROW(region_overlaps_around) { return set_region(s, 1, 0, 0, 0x100000, HERE); }
ROW(region_adjacent) { return set_region(s, 1, 0, MEMORY_SIZE, 0x1000, HERE); }
ROW(region_same_again) { return set_region(s, 0, 0, 0, MEMORY_SIZE, HERE); }
ROW(region_new_size) { return set_region(s, 0, 0, 0, MEMORY_SIZE / 2, HERE); }
ROW(region_new_address) { return set_region(s, 0, 0, 0, MEMORY_SIZE, HERE + 0x1000); }
ROW(region_becomes_readonly) { return set_region(s, 0, KVM_MEM_READONLY, 0, MEMORY_SIZE, HERE); }
ROW(region_moves) { return set_region(s, 0, 0, 0x200000, MEMORY_SIZE, HERE); }
ROW(region_moves_over_itself) { return set_region(s, 0, 0, 0x1000, MEMORY_SIZE, HERE); }
ROW(region_moves_onto_another)
{
	set_region(s, 1, 0, 0x100000, 0x1000, HERE);
	return set_region(s, 1, 0, 0x2000, 0x1000, HERE);
}
ROW(region_moves_and_grows) { return set_region(s, 0, 0, 0x200000, 2 * MEMORY_SIZE, HERE); }
ROW(region_delete_of_none) { return set_region(s, 1, 0, 0, 0, 0); }
ROW(region_delete_with_rubbish) { return set_region(s, 0, 0, 0x123000, 0, 0x456000); }
ROW(region_delete_misaligned) { return set_region(s, 0, 0, 0x123, 0, 0); }
ROW(region_delete_with_bad_flags) { return set_region(s, 0, 0x100, 0, 0, 0); }
ROW(region_delete_twice)
{
	set_region(s, 0, 0, 0, 0, 0);
	return set_region(s, 0, 0, 0, 0, 0);
}
ROW(region_after_delete_elsewhere)
{
	set_region(s, 0, 0, 0, 0, 0);
	return set_region(s, 0, KVM_MEM_READONLY, 0x5000, 0x1000, HERE);
}

ROW(vcpu_duplicate) { return ioctl(s->vm, KVM_CREATE_VCPU, 0); }
ROW(vcpu_id_too_large)
{
	return ioctl(s->vm, KVM_CREATE_VCPU, ioctl(s->vm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPU_ID));
}
ROW(vcpu_id_negative) { return ioctl(s->vm, KVM_CREATE_VCPU, -1); }
ROW(vcpu_id_64_bits) { return ioctl(s->vm, KVM_CREATE_VCPU, 1ul << 32); }

ROW(tss_addr_too_high) { return ioctl(s->vm, KVM_SET_TSS_ADDR, 0xfffff000ul); }
ROW(tss_addr_64_bits) { return ioctl(s->vm, KVM_SET_TSS_ADDR, 0x1000000000ul); }
ROW(tss_addr_usual) { return ioctl(s->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul); }
ROW(identity_map_null) { return ioctl(s->vm, KVM_SET_IDENTITY_MAP_ADDR, 0); }
ROW(identity_map_after_vcpu)
{
	uint64_t address = 0xfffbc000;

	return ioctl(s->vm, KVM_SET_IDENTITY_MAP_ADDR, &address);
}

// What needs an interrupt controller in the kernel, or is asked for without its capability.
ROW(irqchip_after_vcpu) { return ioctl(s->vm, KVM_CREATE_IRQCHIP, 0); }
ROW(irq_line_without_irqchip)
{
	struct kvm_irq_level level = { .irq = 1, .level = 1 };

	return ioctl(s->vm, KVM_IRQ_LINE, &level);
}
ROW(irq_line_status_without_irqchip)
{
	struct kvm_irq_level level = { .irq = 1, .level = 1 };

	return ioctl(s->vm, KVM_IRQ_LINE_STATUS, &level);
}
ROW(pit_without_irqchip)
{
	struct kvm_pit_config config = { 0 };

	return ioctl(s->vm, KVM_CREATE_PIT2, &config);
}
ROW(lapic_without_irqchip)
{
	struct kvm_lapic_state lapic;

	return ioctl(s->vcpu, KVM_GET_LAPIC, &lapic);
}
ROW(enable_unknown_capability)
{
	struct kvm_enable_cap cap = { .cap = 0x7fffffff };

	return ioctl(s->vm, KVM_ENABLE_CAP, &cap);
}
ROW(dirty_log_without_logging)
{
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = s->memory };

	return ioctl(s->vm, KVM_GET_DIRTY_LOG, &log);
}
