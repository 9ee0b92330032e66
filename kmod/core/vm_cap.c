// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vm.h"

int lkx_vm_enable_cap(struct lkx_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 manual = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	if (cap->flags)
		return -EINVAL;
	switch (cap->cap) {
	case KVM_CAP_EXCEPTION_PAYLOAD:
		plat_write_once(vm->exception_payload, !!cap->args[0]);
		return 0;
	case KVM_CAP_X86_TRIPLE_FAULT_EVENT:
		plat_write_once(vm->triple_fault_event, !!cap->args[0]);
		return 0;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		/* All pages at first is for those who clear by hand. */
		if (cap->args[0] & manual)
			manual |= KVM_DIRTY_LOG_INITIALLY_SET;
		if (cap->args[0] & ~manual)
			return -EINVAL;
		plat_write_once(vm->manual_dirty_log, cap->args[0]);
		return 0;
	}
	return -EINVAL;
}
