/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is counted of a vCPU and of a VM, and the file that shows it (KVM_GET_STATS_FD). */
#ifndef LKX_STATS_H
#define LKX_STATS_H

#include "hw.h"

/*
 * Of a vCPU, with the names that stock KVM has for them: VM exits; of these those for port I/O, HLT, interrupts of the host, EPT violations; and
 * MMIO that user space was asked for, KVM_RUNs that a signal ended.
 */
#define LKX_VCPU_STATS(STAT) \
	STAT(exits) STAT(io_exits) STAT(halt_exits) STAT(irq_exits) STAT(pf_taken) STAT(mmio_exits) STAT(signal_exits)

struct lkx_vcpu_stats {
#define LKX_STAT(name) u64 name;
	LKX_VCPU_STATS(LKX_STAT)
#undef LKX_STAT
};

#define LKX_STATS_COUNT (sizeof(struct lkx_vcpu_stats) / sizeof(u64))
#define LKX_STATS_NAME_BYTES 48

/* The file, as KVM's documentation lays it out. */
struct lkx_stats_file {
	struct kvm_stats_header header;
	char id[LKX_STATS_NAME_BYTES];
	struct lkx_stats_desc { /* struct kvm_stats_desc, whose name has no size everywhere */
		u32 flags;
		s16 exponent;
		u16 size;
		u32 offset;
		u32 bucket_size;
		char name[LKX_STATS_NAME_BYTES];
	} desc[LKX_STATS_COUNT];
	u64 data[LKX_STATS_COUNT];
};
_Static_assert(offsetof(struct lkx_stats_desc, bucket_size) == offsetof(struct kvm_stats_desc, bucket_size) &&
	       offsetof(struct lkx_stats_desc, name) == offsetof(struct kvm_stats_desc, name), "as in the ABI");

struct lkx_vm;
/* The file as it is now, all of it but `id`; how many bytes it has. */
u32 lkx_stats_of_vcpu(const struct lkx_vcpu_stats *stats, struct lkx_stats_file *file);
u32 lkx_stats_of_vm(struct lkx_vm *vm, struct lkx_stats_file *file);

#endif
