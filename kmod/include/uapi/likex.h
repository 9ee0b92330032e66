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

#endif
