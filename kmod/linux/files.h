/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The three kinds of file, KVM's way, and how the system file stands in for the other two, LiKeX's way.
 *
 * Lifetimes: a VM lives as long as its fd, or a vCPU fd, or a call on it. vCPUs live as long as their VM. The system file
 * that made a VM finds it again while the VM's fd is open, and keeps nothing alive: a program may make any
 * number of VMs through one system fd.
 */
#ifndef LKX_LINUX_FILES_H
#define LKX_LINUX_FILES_H

#include "likex.h"

/* One open of /dev/rust_kvm. */
struct lkx_system {
	refcount_t users;     /* the file, and each VM made through it */
	struct mutex lock;
	struct linux_vm *vm;  /* the newest VM made through it whose fd is open; lock */
};

extern const struct file_operations lkx_system_fops;

void lkx_system_put(struct lkx_system *s);

/* KVM_CREATE_VM: the new VM's fd, or -errno. */
int lkx_vm_create(struct lkx_system *s);
/* Its first half: a VM without a file, one reference, or an ERR_PTR. */
struct linux_vm *lkx_vm_alloc(struct lkx_system *s);
/* Its second: a file that takes over the reference, also if it is an ERR_PTR. */
struct file *lkx_vm_file(struct linux_vm *vm);
/* And its third, which can't fail: from here on user space has the file. */
void lkx_vm_install(struct linux_vm *vm, struct file *file, int fd);
/* LIKEX_CREATE: 0 or -errno. */
long lkx_create(struct lkx_system *s, void __user *user);
void lkx_vm_put(struct linux_vm *vm);
/* KVM_SET_USER_MEMORY_REGION: 0 or -errno. */
int lkx_vm_set_region(struct linux_vm *vm, const struct kvm_userspace_memory_region *region);
/* A VM ioctl: -ENOTTY where `cmd` is none. The caller holds a reference. */
long lkx_vm_ioctl(struct linux_vm *vm, unsigned int cmd, unsigned long arg);
bool lkx_is_vm_ioctl(unsigned int cmd);

/* ioeventfd.c: KVM_IOEVENTFD. 0 or -errno: as lkx_ioevent_decode, _add and _remove, -EFAULT, -EBADF, -EINVAL (no eventfd). */
long lkx_ioeventfd(struct linux_vm *vm, void __user *user);
/* No vCPU is left. */
void lkx_ioeventfds_free(struct linux_vm *vm);

/* irqfd.c: KVM_IRQFD and KVM_SET_GSI_ROUTING. 0 or -errno. */
long lkx_irqfd(struct linux_vm *vm, void __user *user);
long lkx_set_routing(struct linux_vm *vm, struct kvm_irq_routing __user *user);
/* Nobody interrupts the VM's vCPUs any more; they are still there. */
void lkx_irqfds_end(struct linux_vm *vm);

/* KVM_CREATE_VCPU: the new vCPU's fd, or -errno. */
int lkx_vcpu_create(struct linux_vm *vm, unsigned long id);
/* The same but for the fd: its file, or an ERR_PTR. With registers and CPUID of `c` unless that is NULL. */
struct file *lkx_vcpu_file(struct linux_vm *vm, unsigned long id, const struct likex_create *c);
/* KVM_SET_CPUID2. The vCPU is loaded. */
long lkx_vcpu_set_cpuid(struct linux_vcpu *lv, struct kvm_cpuid2 __user *user);
void lkx_vcpu_free(struct linux_vcpu *lv);
/* run.c */
long lkx_vcpu_ioctl(struct linux_vcpu *lv, unsigned int cmd, unsigned long arg);
/* All but KVM_RUN (vcpu_ioctl.c), and of them those of its state beyond registers (vcpu_state.c): locked, its VMCS current. */
long lkx_vcpu_loaded_ioctl(struct linux_vcpu *lv, unsigned int cmd, unsigned long arg);
long lkx_vcpu_state_ioctl(struct linux_vcpu *lv, unsigned int cmd, void __user *user);
int lkx_vcpu_mmap(struct linux_vcpu *lv, struct vm_area_struct *vma);

/* stats.c: KVM_GET_STATS_FD of the VM, or of its vCPU unless `lv` is NULL: the fd, or -errno. */
int lkx_stats_fd(struct linux_vm *vm, struct linux_vcpu *lv);

/* KVM_CHECK_EXTENSION. */
long lkx_check_extension(unsigned long cap);

#endif
