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
#define LIKEX_MAX_MSRS       256  /* entries KVM_GET_MSRS and KVM_SET_MSRS take in one call */

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
