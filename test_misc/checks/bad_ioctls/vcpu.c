// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Wrong registers, CPUID and MSR lists, events.
#include "rows.h"

#include <stdlib.h>
#include <string.h>

// Each with NULL, with an address of the kernel, and cut off by a page without rights.
#define POINTER_ROWS(NAME, REQUEST) \
	ROW(NAME##_null) { return ioctl(s->vcpu, REQUEST, 0); } \
	ROW(NAME##_kernel_address) { return ioctl(s->vcpu, REQUEST, KERNEL_ADDRESS); } \
	ROW(NAME##_closed) { return ioctl(s->vcpu, REQUEST, closed_page()); }

POINTER_ROWS(get_regs, KVM_GET_REGS)
POINTER_ROWS(set_regs, KVM_SET_REGS)
POINTER_ROWS(get_sregs, KVM_GET_SREGS)
POINTER_ROWS(set_sregs, KVM_SET_SREGS)
POINTER_ROWS(get_fpu, KVM_GET_FPU)
POINTER_ROWS(set_fpu, KVM_SET_FPU)
POINTER_ROWS(get_msrs, KVM_GET_MSRS)
POINTER_ROWS(set_msrs, KVM_SET_MSRS)
POINTER_ROWS(get_cpuid, KVM_GET_CPUID2)
POINTER_ROWS(set_cpuid, KVM_SET_CPUID2)
POINTER_ROWS(translate, KVM_TRANSLATE)
POINTER_ROWS(interrupt, KVM_INTERRUPT)
POINTER_ROWS(get_mp_state, KVM_GET_MP_STATE)
POINTER_ROWS(set_mp_state, KVM_SET_MP_STATE)
POINTER_ROWS(set_signal_mask, KVM_SET_SIGNAL_MASK)

ROW(get_regs_into_readonly) { return ioctl(s->vcpu, KVM_GET_REGS, readonly_page()); }
ROW(get_sregs_into_readonly) { return ioctl(s->vcpu, KVM_GET_SREGS, readonly_page()); }
ROW(get_sregs_cut_off) { return ioctl(s->vcpu, KVM_GET_SREGS, before_closed_page(100)); }
ROW(set_regs_cut_off) { return ioctl(s->vcpu, KVM_SET_REGS, before_closed_page(100)); }
ROW(get_fpu_cut_off) { return ioctl(s->vcpu, KVM_GET_FPU, before_closed_page(100)); }

// RFLAGS as they are read after writing VALUE.
static long flags_after(struct setup *s, uint64_t value)
{
	struct kvm_regs regs = { .rflags = value };

	if (ioctl(s->vcpu, KVM_SET_REGS, &regs))
		return -1;
	ioctl(s->vcpu, KVM_GET_REGS, &regs);
	return regs.rflags;
}

ROW(rflags_zero) { return flags_after(s, 0); }
ROW(rflags_resume_flag) { return flags_after(s, 0x10000); }

// SET_SREGS of what is there with changes.
#define SREGS_ROW(NAME, ...) \
	ROW(NAME) { \
		struct kvm_sregs r; \
		ioctl(s->vcpu, KVM_GET_SREGS, &r); \
		__VA_ARGS__; \
		return ioctl(s->vcpu, KVM_SET_SREGS, &r); \
	}

SREGS_ROW(sregs_same)
SREGS_ROW(sregs_cr4_bit_31, r.cr4 = 1u << 31)
SREGS_ROW(sregs_cr4_bit_40, r.cr4 = 1ull << 40)
SREGS_ROW(sregs_cr4_vmxe_without_cpuid, r.cr4 = 1 << 13)
SREGS_ROW(sregs_cr0_high, r.cr0 |= 1ull << 32)
SREGS_ROW(sregs_cr0_paging_without_protection, r.cr0 |= 1u << 31)
SREGS_ROW(sregs_cr0_nw_without_cd, r.cr0 = 0x20000010)
SREGS_ROW(sregs_efer_reserved, r.efer = 2)
SREGS_ROW(sregs_efer_lma_alone, r.efer = 0x400)
SREGS_ROW(sregs_long_mode_without_pae, r.cr0 = 0x80000031; r.efer = 0x500)
SREGS_ROW(sregs_long_mode_without_lma, r.cr0 = 0x80000031; r.cr4 = 0x20; r.efer = 0x100)
SREGS_ROW(sregs_cs_l_without_lma, r.cs.l = 1)
SREGS_ROW(sregs_long_mode_cr3_too_high, r.cr0 = 0x80000031; r.cr4 = 0x20; r.efer = 0x500; r.cr3 = 1ull << 55)
SREGS_ROW(sregs_cr8_high, r.cr8 = 16)
SREGS_ROW(sregs_apic_base_reserved, r.apic_base |= 1ull << 63)
SREGS_ROW(sregs_apic_base_low_bits, r.apic_base |= 1)
SREGS_ROW(sregs_apic_base_x2apic, r.apic_base |= 0xc00)
SREGS_ROW(sregs_two_interrupts, r.interrupt_bitmap[0] = 1ull << 32; r.interrupt_bitmap[3] = 1)
SREGS_ROW(sregs_all_interrupts, memset(r.interrupt_bitmap, 0xff, sizeof(r.interrupt_bitmap)))

SREGS_ROW(sregs_cr4_osxsave_without_cpuid, r.cr4 = 1 << 18)

// The interrupt that is pending after both were set.
ROW(sregs_two_interrupts_which)
{
	struct kvm_sregs r;

	ioctl(s->vcpu, KVM_GET_SREGS, &r);
	r.interrupt_bitmap[0] = 1ull << 32;
	r.interrupt_bitmap[3] = 1;
	ioctl(s->vcpu, KVM_SET_SREGS, &r);
	ioctl(s->vcpu, KVM_GET_SREGS, &r);
	for (int i = 0; i < 256; i++)
		if (r.interrupt_bitmap[i / 64] >> i % 64 & 1)
			return i;
	return 999;
}

static struct kvm_cpuid2 *cpuid_list(uint32_t count)
{
	struct kvm_cpuid2 *list = calloc(1, sizeof(*list) + 300 * sizeof(list->entries[0]));

	list->nent = count;
	return list;
}

// A CPUID that has XSAVE whether the processor offers it or not, then CR4.OSXSAVE, then a run. What comes of it depends on
// the machine; it must not be the end of the host.
ROW(run_with_osxsave_forced)
{
	struct kvm_cpuid2 *list = cpuid_list(1);
	struct kvm_sregs r;

	list->entries[0].function = 1;
	list->entries[0].ecx = 1 << 26;
	ioctl(s->vcpu, KVM_SET_CPUID2, list);
	ioctl(s->vcpu, KVM_GET_SREGS, &r);
	r.cr4 = 1 << 18;
	if (ioctl(s->vcpu, KVM_SET_SREGS, &r))
		return -1;
	return ioctl(s->vcpu, KVM_RUN, 0) ? -1 : (long)s->run->exit_reason;
}
ROW(set_cpuid_none) { return ioctl(s->vcpu, KVM_SET_CPUID2, cpuid_list(0)); }
ROW(set_cpuid_256) { return ioctl(s->vcpu, KVM_SET_CPUID2, cpuid_list(256)); }
ROW(set_cpuid_257) { return ioctl(s->vcpu, KVM_SET_CPUID2, cpuid_list(257)); }
ROW(set_cpuid_huge_count) { return ioctl(s->vcpu, KVM_SET_CPUID2, cpuid_list(0xffffffff)); }
ROW(set_cpuid_cut_off)
{
	struct kvm_cpuid2 *list = before_closed_page(64);

	list->nent = 10;
	return ioctl(s->vcpu, KVM_SET_CPUID2, list);
}
ROW(set_cpuid_odd_virtual_width)
{
	struct kvm_cpuid2 *list = cpuid_list(1);

	list->entries[0].function = 0x80000008;
	list->entries[0].eax = 0x2728;
	return ioctl(s->vcpu, KVM_SET_CPUID2, list);
}
ROW(set_cpuid_after_run)
{
	ioctl(s->vcpu, KVM_SET_CPUID2, cpuid_list(1));
	ioctl(s->vcpu, KVM_RUN, 0);

	struct kvm_cpuid2 *list = cpuid_list(1);

	list->entries[0].eax = 7;
	return ioctl(s->vcpu, KVM_SET_CPUID2, list);
}
ROW(set_cpuid_same_after_run)
{
	ioctl(s->vcpu, KVM_SET_CPUID2, cpuid_list(1));
	ioctl(s->vcpu, KVM_RUN, 0);
	return ioctl(s->vcpu, KVM_SET_CPUID2, cpuid_list(1));
}
ROW(get_cpuid_too_few)
{
	ioctl(s->vcpu, KVM_SET_CPUID2, cpuid_list(3));
	return ioctl(s->vcpu, KVM_GET_CPUID2, cpuid_list(2));
}
ROW(get_cpuid_count)
{
	struct kvm_cpuid2 *list = cpuid_list(100);

	ioctl(s->vcpu, KVM_SET_CPUID2, cpuid_list(3));
	return ioctl(s->vcpu, KVM_GET_CPUID2, list) ? -1 : (long)list->nent;
}

static struct kvm_msrs *msr_list(uint32_t count)
{
	struct kvm_msrs *list = calloc(1, sizeof(*list) + 300 * sizeof(list->entries[0]));

	list->nmsrs = count;
	for (int i = 0; i < 300; i++)
		list->entries[i].index = 0xc0000081;
	return list;
}

// SET_MSRS of STAR, then MSR INDEX with VALUE, then LSTAR: how many were taken.
static long set_three(struct setup *s, uint32_t index, uint64_t value)
{
	struct kvm_msrs *list = msr_list(3);

	list->entries[1].index = index;
	list->entries[1].data = value;
	list->entries[2].index = 0xc0000082;
	return ioctl(s->vcpu, KVM_SET_MSRS, list);
}

ROW(get_msrs_none) { return ioctl(s->vcpu, KVM_GET_MSRS, msr_list(0)); }
ROW(get_msrs_255) { return ioctl(s->vcpu, KVM_GET_MSRS, msr_list(255)); }
ROW(get_msrs_256) { return ioctl(s->vcpu, KVM_GET_MSRS, msr_list(256)); }
ROW(get_msrs_huge_count) { return ioctl(s->vcpu, KVM_GET_MSRS, msr_list(0xffffffff)); }
ROW(set_msrs_256) { return ioctl(s->vcpu, KVM_SET_MSRS, msr_list(256)); }
ROW(set_msrs_huge_count) { return ioctl(s->vcpu, KVM_SET_MSRS, msr_list(0x80000000)); }
ROW(set_msrs_unknown_second) { return set_three(s, 0x12345, 0); }
ROW(set_msrs_not_canonical_second) { return set_three(s, 0xc0000082, 1ull << 47); }
ROW(set_msrs_wrong_pat_second) { return set_three(s, 0x277, 2); }
ROW(set_msrs_reserved_efer_second) { return set_three(s, 0xc0000080, 1ull << 63); }
ROW(set_msrs_apic_base_second) { return set_three(s, 0x1b, ~0ull); }
ROW(get_msrs_unknown_second)
{
	struct kvm_msrs *list = msr_list(3);

	list->entries[1].index = 0x12345;
	return ioctl(s->vcpu, KVM_GET_MSRS, list);
}
ROW(get_msrs_cut_off)
{
	struct kvm_msrs *list = before_closed_page(64);

	list->nmsrs = 200;
	return ioctl(s->vcpu, KVM_GET_MSRS, list);
}
ROW(set_msrs_into_readonly_after) { return ioctl(s->vcpu, KVM_SET_MSRS, readonly_page()); }

static long interrupt(struct setup *s, uint32_t vector)
{
	struct kvm_interrupt request = { .irq = vector };

	return ioctl(s->vcpu, KVM_INTERRUPT, &request);
}

ROW(interrupt_256) { return interrupt(s, 256); }
ROW(interrupt_all_ones) { return interrupt(s, 0xffffffff); }
ROW(interrupt_255) { return interrupt(s, 255); }
ROW(interrupt_twice)
{
	interrupt(s, 32);
	return interrupt(s, 33);
}
ROW(nmi_thrice)
{
	ioctl(s->vcpu, KVM_NMI, 0);
	ioctl(s->vcpu, KVM_NMI, 0);
	return ioctl(s->vcpu, KVM_NMI, 0);
}

static long mp_state(struct setup *s, uint32_t state)
{
	struct kvm_mp_state request = { .mp_state = state };

	return ioctl(s->vcpu, KVM_SET_MP_STATE, &request);
}

ROW(mp_state_runnable) { return mp_state(s, KVM_MP_STATE_RUNNABLE); }
ROW(mp_state_halted) { return mp_state(s, KVM_MP_STATE_HALTED); }
ROW(mp_state_uninitialized) { return mp_state(s, KVM_MP_STATE_UNINITIALIZED); }
ROW(mp_state_sipi_received) { return mp_state(s, KVM_MP_STATE_SIPI_RECEIVED); }
ROW(mp_state_unknown) { return mp_state(s, 99); }

ROW(tsc_khz_all_ones) { return ioctl(s->vcpu, KVM_SET_TSC_KHZ, 0xffffffff); }
ROW(translate_real_mode)
{
	struct kvm_translation t = { .linear_address = 0x1234 };

	return ioctl(s->vcpu, KVM_TRANSLATE, &t) ? -1 : (long)(t.physical_address << 4 | t.valid << 1 | t.writeable);
}
