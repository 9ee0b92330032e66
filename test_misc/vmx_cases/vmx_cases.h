/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * /dev/vmx_cases: VM entries from user space, one at a time, each with a VMCS and memory of its own making.
 *
 * pread and pwrite at offset N are the arena's byte N: physical memory for bitmaps, MSR areas, EPT and guest pages.
 * Only for root, on a machine that exists for tests: a VMCS can do anything to it.
 */
#ifndef VMX_CASES_H
#define VMX_CASES_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define VMX_CASES_ARENA_BYTES (4 << 20)
#define VMX_CASES_MAX_FIELDS 256

struct vmx_cases_info {
	__u64 arena;         /* its physical address, a multiple of its size */
	__u32 physical_bits; /* of the processor's addresses */
	__u32 pad;
};

struct vmx_cases_msr {
	__u32 index; /* IA32_FEATURE_CONTROL or one of VMX's */
	__u32 exists;
	__u64 value;
};

struct vmx_cases_field {
	__u32 encoding;
	__u32 exists; /* out, of results: VMREAD took the encoding */
	__u64 value;
};

/* How it ended. */
#define VMX_CASES_EXITED 0  /* VM exit, that of a failed entry included */
#define VMX_CASES_FAILED 1  /* VMLAUNCH failed */
#define VMX_CASES_REFUSED 2 /* VMWRITE failed, and nothing was launched */

/*
 * One VMLAUNCH from an empty VMCS: first the host's state is written to it, then `fields` in their order. After it `results`
 * are read. No translation is cached before.
 */
struct vmx_cases_run {
	__u64 fields;  /* struct vmx_cases_field[field_count] */
	__u64 results; /* struct vmx_cases_field[result_count] */
	__u32 field_count, result_count; /* VMX_CASES_MAX_FIELDS each at most */
	__u64 rax, rdi;                  /* the guest's, before and after; its other registers are 0 */
	__u32 outcome;                   /* out */
	__u32 refused;                   /* out: encoding of the field that VMWRITE refused */
};

#define VMX_CASES_INFO _IOR('V', 0, struct vmx_cases_info)
#define VMX_CASES_MSR _IOWR('V', 1, struct vmx_cases_msr) /* EINVAL: none that may be asked for */
#define VMX_CASES_RUN _IOWR('V', 2, struct vmx_cases_run) /* EBUSY: somebody is in VMX operation; E2BIG; EIO: VMXON failed */

#endif
