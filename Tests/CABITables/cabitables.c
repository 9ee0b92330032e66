// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Every number is the compiler's: from <linux/kvm.h> and the tables, through no Swift and no generator.
#include "cabitables.h"

#include <linux/kvm.h>

#include "../../kmod/include/uapi/likex.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct lkx_abi_value lkx_abi_values[] = {
#define LKX_IOCTL(name, scope) { "ioctls", #name, name, #scope, "" },
#include "../../kmod/include/tables/ioctls.def"
#undef LKX_IOCTL
#define LKX_CAPABILITY(name) { "capabilities", #name, name, "", "" },
#include "../../kmod/include/tables/capabilities.def"
#undef LKX_CAPABILITY
#define LKX_KVM_EXIT(name) { "kvm_exits", #name, name, "", "" },
#include "../../kmod/include/tables/kvm_exits.def"
#undef LKX_KVM_EXIT
#define LKX_VMCS_FIELD(name, encoding, width, access) { "vmcs_fields", #name, encoding, #width, #access },
#include "../../kmod/include/tables/vmcs_fields.def"
#undef LKX_VMCS_FIELD
#define LKX_EXIT_REASON(name, number) { "exit_reasons", #name, number, "", "" },
#include "../../kmod/include/tables/exit_reasons.def"
#undef LKX_EXIT_REASON
#define LKX_CONTROL(group, name, bit) { "control_bits", #name, bit, #group, "" },
#include "../../kmod/include/tables/control_bits.def"
#undef LKX_CONTROL
#define LKX_MSR(name, index, ...) { "msrs", #name, index, "", "" },
#include "../../kmod/include/tables/msrs.def"
#undef LKX_MSR
};
const size_t lkx_abi_value_count = COUNT(lkx_abi_values);

const struct lkx_abi_struct lkx_abi_structs[] = {
#define LKX_STRUCT(structure) { #structure, sizeof(struct structure), _Alignof(struct structure) },
#include "structs.def"
#undef LKX_STRUCT
};
const size_t lkx_abi_struct_count = COUNT(lkx_abi_structs);

const struct lkx_abi_field lkx_abi_fields[] = {
#define LKX_FIELD(structure, field)                                                                  \
	{ #structure, #field, __builtin_offsetof(struct structure, field), sizeof(((struct structure *)0)->field) },
#include "fields.def"
#undef LKX_FIELD
};
const size_t lkx_abi_field_count = COUNT(lkx_abi_fields);
