// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "lapic.h"

#define MSR_EXIT_REASONS (KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER)

/* Where the argument is kept, and the bits that it may have; ~0: it only counts whether it is 0. */
static u32 *setting(struct lkx_vm *vm, const struct kvm_enable_cap *cap, u64 *allowed)
{
	u64 manual = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	*allowed = ~0ull;
	switch (cap->cap) {
	case KVM_CAP_EXCEPTION_PAYLOAD:
		return &vm->exception_payload;
	case KVM_CAP_X86_TRIPLE_FAULT_EVENT:
		return &vm->triple_fault_event;
	case KVM_CAP_EXIT_ON_EMULATION_FAILURE:
		*allowed = 1;
		return &vm->exit_on_emulation_failure;
	case KVM_CAP_X86_USER_SPACE_MSR:
		*allowed = MSR_EXIT_REASONS;
		return &vm->user_space_msr;
	case KVM_CAP_X86_DISABLE_EXITS:
		*allowed = vm->caps->disable_exits;
		return &vm->disabled_exits;
	case KVM_CAP_X2APIC_API:
		*allowed = LKX_X2APIC_API;
		return &vm->x2apic_api;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		/* All pages at first is for those who clear by hand. */
		if (cap->args[0] & manual)
			manual |= KVM_DIRTY_LOG_INITIALLY_SET;
		*allowed = manual;
		return &vm->manual_dirty_log;
	}
	return NULL;
}

int lkx_vm_enable_cap(struct lkx_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 value = cap->args[0], allowed;
	u32 *to = setting(vm, cap, &allowed);

	if (cap->cap == KVM_CAP_SPLIT_IRQCHIP && !cap->flags)
		return lkx_lapics_enable(vm, value);
	if (cap->flags || !to || (value & ~allowed))
		return -EINVAL;
	if (cap->cap == KVM_CAP_X86_DISABLE_EXITS) {
		/* Too late once a VMCS was made, even for nothing. What is off stays off. */
		if (vm->has_vcpus)
			return -EINVAL;
		value |= *to;
	}
	if (cap->cap == KVM_CAP_X2APIC_API)
		value |= *to;
	plat_store32(to, allowed == ~0ull ? !!value : value);
	return 0;
}
