/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * C's view of the ABI, for Swift: KVM's structs, LiKeX's additions, and one constant for each name of
 * the tables. The _IO macros of <linux/kvm.h> are not imported into Swift, constants that evaluate them are.
 */
#ifndef CKVMABI_H
#define CKVMABI_H

#include <linux/kvm.h>

#include "../../../kmod/include/uapi/likex.h"

#define LKX_IOCTL(name, scope) static const unsigned int lkx_ioctl_##name = name;
#include "../../../kmod/include/tables/ioctls.def"
#undef LKX_IOCTL

#define LKX_CAPABILITY(name) static const unsigned int lkx_capability_##name = name;
#include "../../../kmod/include/tables/capabilities.def"
#undef LKX_CAPABILITY

#define LKX_KVM_EXIT(name) static const unsigned int lkx_exit_##name = name;
#include "../../../kmod/include/tables/kvm_exits.def"
#undef LKX_KVM_EXIT

#endif
