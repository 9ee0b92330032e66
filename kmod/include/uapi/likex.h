/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What /dev/rust_kvm offers beyond <linux/kvm.h>, and how its pieces are laid out for user space.
 * The ioctls themselves are KVM's (see tables/ioctls.def); nothing of KVM's ABI is typed in twice.
 */
#ifndef LIKEX_UAPI_H
#define LIKEX_UAPI_H

#include <linux/kvm.h>

#define LIKEX_DEVICE_NAME "rust_kvm"
#define LIKEX_DEVICE_PATH "/dev/rust_kvm"

/*
 * The mapping of a vCPU (or, LiKeX's way, of the system fd): page 0 is struct kvm_run, page 1 the
 * buffer of port I/O that kvm_run.io.data_offset points into. KVM_GET_VCPU_MMAP_SIZE answers their sum.
 */
#define LIKEX_RUN_PAGES      2
#define LIKEX_PIO_PAGE       1
#define LIKEX_MAX_VCPUS      64   /* vCPUs a VM: KVM_CAP_MAX_VCPUS */
#define LIKEX_MAX_VCPU_IDS   64   /* vCPU ids are below this: KVM_CAP_MAX_VCPU_ID */
#define LIKEX_MAX_MEMSLOTS   512  /* KVM_CAP_NR_MEMSLOTS */
#define LIKEX_MAX_CPUID      256  /* entries KVM_SET_CPUID2 takes */
#define LIKEX_MAX_IRQ_ROUTES 4096 /* of KVM_SET_GSI_ROUTING, and pins of KVM_CAP_SPLIT_IRQCHIP */
#define LIKEX_MAX_MSRS       256  /* entries KVM_GET_MSRS and KVM_SET_MSRS take in one call */

/* What newer kernels' <linux/kvm.h> has, by the same numbers: KVM's API documentation, 4.140 and 4.143. */
#ifndef KVM_CAP_USER_MEMORY2
#define KVM_CAP_USER_MEMORY2 231
#define KVM_MEM_GUEST_MEMFD (1UL << 2) /* refused: no private memory is offered, KVM_CAP_GUEST_MEMFD is 0 */
struct kvm_userspace_memory_region2 {
	__u32 slot;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
	__u64 guest_memfd_offset;
	__u32 guest_memfd;
	__u32 pad1;
	__u64 pad2[14];
};
#define KVM_SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, struct kvm_userspace_memory_region2)
#endif

#ifndef KVM_CAP_PRE_FAULT_MEMORY
#define KVM_CAP_PRE_FAULT_MEMORY 236
struct kvm_pre_fault_memory {
	__u64 gpa;
	__u64 size;
	__u64 flags;
	__u64 padding[5];
};
#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif

/*
 * LIKEX_CREATE, a system ioctl: a VM, its memory slots, one vCPU and its registers at once. All or nothing: when it fails, there is no new file
 * and nothing is left. Each part does what KVM's own ioctl for it does, in the order KVM_CREATE_VM, KVM_SET_USER_MEMORY_REGION for
 * each slot, KVM_CREATE_VCPU, KVM_SET_CPUID2, KVM_SET_SREGS, KVM_SET_REGS, and fails with that one's errno; besides
 *
 *   EFAULT   the struct, or what it points to, can't be read, or the answer not written
 *   EINVAL   `size` is less than this struct's, an unknown flag, more than LIKEX_CREATE_MEMSLOTS slots, `reserved` is not 0
 *   E2BIG    `size` is more than this struct's and there is something behind it: a part that this module doesn't know; or more than a page
 *
 * 0 when all is made. What `memslots` and `flags` don't name is not looked at. KVM's other ioctls work on the files afterwards, and on
 * the system's as after KVM_CREATE_VM.
 *
 * KVM_CHECK_EXTENSION of LIKEX_CAP_CREATE says how many slots it takes, 0 where there is no such ioctl. Neither number can be
 * KVM's: all of KVM's ioctls are of type 0xae (KVMIO), and its capabilities are numbered one by one from 0, some 240 in fifteen years;
 * those of LiKeX begin at "LX" in the upper half of 32 bits.
 */
#define LIKEX_IO               0xd7
#define LIKEX_CREATE           _IO(LIKEX_IO, 0x00)
#define LIKEX_CAP_CREATE       0x4c580000

#define LIKEX_CREATE_MEMSLOTS  8
#define LIKEX_CREATE_REGS      1  /* flags: `regs` counts; without it registers are as after reset */
#define LIKEX_CREATE_SREGS     2  /* flags: `sregs` counts */

struct likex_create {
	__u32 size;           /* of the struct that the caller knows: it may grow at its end */
	__u32 flags;          /* LIKEX_CREATE_REGS, LIKEX_CREATE_SREGS */
	__u32 vcpu_id;
	__u32 memslots;       /* how many of `memslot` count */
	__aligned_u64 cpuid;  /* address of a struct kvm_cpuid2; 0: what a vCPU has without KVM_SET_CPUID2 */
	struct likex_created {
		__s32 vm_fd;
		__s32 vcpu_fd;
		__u32 run_size; /* KVM_GET_VCPU_MMAP_SIZE */
		__u32 reserved; /* 0 */
	} created;            /* the answer; what it was is not looked at */
	struct kvm_userspace_memory_region memslot[LIKEX_CREATE_MEMSLOTS];
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	__aligned_u64 reserved[4]; /* must be 0 */
};

/*
 * /sys/kernel/debug/likex/ept, root's to read: the extended page tables of every VM, in lines.
 *
 *   likex-ept 1                                     first line: the version of this format
 *   vm ID pid PID frames COUNT tables COUNT ad 0|1  begins a VM: its number, the process that made it, how many 4 KiB frames its
 *                                                   addresses reach, pages of tables, whether accessed and dirty bits are in use
 *   table LEVEL GPA 1 BITS                          an entry of a table of LEVEL (4 to 1), mapping from GPA on by a table below
 *   leaf LEVEL GPA COUNT BITS                       COUNT entries one after the other that map pages of 4 KiB << 9 * (LEVEL - 1)
 *   end                                             the VM's last line; "gone" when it ended while it was read
 *
 * BITS is an entry as SDM vol. 3 has it, without its address. Entries come in the order of their addresses, a table before what is in it. Each
 * line was true when it was read; the tree may change between two.
 */
#define LIKEX_EPT_FORMAT     1
#define LIKEX_EPT_PATH       "/sys/kernel/debug/likex/ept"

#endif
