/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VMCS fields, exit reasons and control bits by name, and accessors that fail to compile on the wrong
 * width or on a write to a read-only field. SDM vol. 3, appendices A to C.
 */
#ifndef LKX_VMCS_H
#define LKX_VMCS_H

#include "hw.h"

/* Bits 14:13 of an encoding give the width; bits 11:10 = 1: read-only data. */
#define LKX_WIDTH_16 0
#define LKX_WIDTH_64 1
#define LKX_WIDTH_32 2
#define LKX_WIDTH_NATURAL 3
#define LKX_FIELD_WIDTH(field) (((field) >> 13) & 3)
#define LKX_FIELD_IS_RO(field) ((((field) >> 10) & 3) == 1)

enum lkx_vmcs_field {
#define LKX_VMCS_FIELD(name, encoding, width, access) VMCS_##name = encoding,
#include "tables/vmcs_fields.def"
#undef LKX_VMCS_FIELD
};

#define LKX_ACCESS_IS_RO_RW 0
#define LKX_ACCESS_IS_RO_RO 1
#define LKX_VMCS_FIELD(name, encoding, width, access)                                                 \
	_Static_assert(LKX_FIELD_WIDTH(encoding) == LKX_WIDTH_##width, "width of VMCS field " #name); \
	_Static_assert(LKX_FIELD_IS_RO(encoding) == LKX_ACCESS_IS_RO_##access, "access of " #name);
#include "tables/vmcs_fields.def"
#undef LKX_VMCS_FIELD

enum lkx_exit_reason {
#define LKX_EXIT_REASON(name, number) EXIT_##name = number,
#include "tables/exit_reasons.def"
#undef LKX_EXIT_REASON
	EXIT_REASON_COUNT = 76,
};
#define EXIT_REASON_ENTRY_FAILED BIT(31)

/* Bit numbers: LKX_BIT_PIN_NMI_EXITING; masks: CTRL(PIN, NMI_EXITING). */
enum lkx_control_bit {
#define LKX_CONTROL(group, name, bit) LKX_BIT_##group##_##name = bit,
#include "tables/control_bits.def"
#undef LKX_CONTROL
};
#define CTRL(group, name) (1u << LKX_BIT_##group##_##name)

/* The current VMCS of this processor; `field` is a constant name without its VMCS_ prefix. */
#define vmcs_check(field, w) BUILD_BUG_ON(LKX_FIELD_WIDTH(VMCS_##field) != (w))
#define vmcs_read(hw, field, w, type)                   \
	({                                              \
		vmcs_check(field, w);                   \
		(type)hw_vmread((hw), VMCS_##field);    \
	})
#define vmcs_write(hw, field, w, value)                         \
	do {                                                    \
		vmcs_check(field, w);                           \
		BUILD_BUG_ON(LKX_FIELD_IS_RO(VMCS_##field));    \
		hw_vmwrite((hw), VMCS_##field, (value));        \
	} while (0)

#define vmcs_read16(hw, field) vmcs_read(hw, field, LKX_WIDTH_16, u16)
#define vmcs_read32(hw, field) vmcs_read(hw, field, LKX_WIDTH_32, u32)
#define vmcs_read64(hw, field) vmcs_read(hw, field, LKX_WIDTH_64, u64)
#define vmcs_readn(hw, field) vmcs_read(hw, field, LKX_WIDTH_NATURAL, u64)
#define vmcs_write16(hw, field, value) vmcs_write(hw, field, LKX_WIDTH_16, value)
#define vmcs_write32(hw, field, value) vmcs_write(hw, field, LKX_WIDTH_32, value)
#define vmcs_write64(hw, field, value) vmcs_write(hw, field, LKX_WIDTH_64, value)
#define vmcs_writen(hw, field, value) vmcs_write(hw, field, LKX_WIDTH_NATURAL, value)

/* EXIT_INTERRUPTION_INFO, ENTRY_INTERRUPTION_INFO and IDT_VECTORING_INFO share one layout. SDM vol. 3, 25.9.2. */
#define INTR_INFO_VECTOR 0xffu
#define INTR_INFO_TYPE (7u << 8)
#define INTR_INFO_ERROR_CODE BIT(11)
#define INTR_INFO_NMI_UNBLOCKING BIT(12)
#define INTR_INFO_VALID BIT(31)
#define INTR_TYPE_EXTERNAL (0u << 8)
#define INTR_TYPE_NMI (2u << 8)
#define INTR_TYPE_HARD_EXCEPTION (3u << 8)
#define INTR_TYPE_SOFT_INTERRUPT (4u << 8)
#define INTR_TYPE_PRIVILEGED_EXCEPTION (5u << 8)
#define INTR_TYPE_SOFT_EXCEPTION (6u << 8)

/* GUEST_INTERRUPTIBILITY and GUEST_ACTIVITY_STATE. SDM vol. 3, 25.4.2. */
#define INTERRUPTIBILITY_STI BIT(0)
#define INTERRUPTIBILITY_MOV_SS BIT(1)
#define INTERRUPTIBILITY_NMI BIT(3)
#define ACTIVITY_ACTIVE 0
#define ACTIVITY_HLT 1

/* Access rights as a VMCS holds them. */
#define AR_UNUSABLE BIT(16)

/* INVEPT and INVVPID types. */
#define INVEPT_SINGLE 1
#define INVEPT_GLOBAL 2
#define INVVPID_ADDRESS 0
#define INVVPID_SINGLE 1
#define INVVPID_ALL 2

#endif
