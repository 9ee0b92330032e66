// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Wrong calls on the system descriptor, and calls on descriptors of the wrong kind.
#include "rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#define UNKNOWN_IOCTL _IO(KVMIO, 0xfe)

ROW(api_version_with_argument) { return ioctl(s->system, KVM_GET_API_VERSION, 1); }
ROW(create_vm_unknown_type) { return ioctl(s->system, KVM_CREATE_VM, 77); }
ROW(create_vm_huge_type) { return ioctl(s->system, KVM_CREATE_VM, -1ul); }
ROW(mmap_size_with_argument) { return ioctl(s->system, KVM_GET_VCPU_MMAP_SIZE, 1); }
ROW(extension_unknown) { return ioctl(s->system, KVM_CHECK_EXTENSION, 0x7fffffff); }
ROW(extension_negative) { return ioctl(s->system, KVM_CHECK_EXTENSION, -1ul); }
ROW(extension_unknown_on_vm) { return ioctl(s->vm, KVM_CHECK_EXTENSION, 0x7fffffff); }
ROW(extension_on_vcpu) { return ioctl(s->vcpu, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY); }
ROW(unknown_on_system) { return ioctl(s->system, UNKNOWN_IOCTL, 0); }
ROW(unknown_on_vm) { return ioctl(s->vm, UNKNOWN_IOCTL, 0); }
ROW(unknown_on_vcpu) { return ioctl(s->vcpu, UNKNOWN_IOCTL, 0); }
ROW(terminal_ioctl_on_system) { return ioctl(s->system, TCGETS, 0); }
ROW(terminal_ioctl_on_vm) { return ioctl(s->vm, TCGETS, 0); }
ROW(terminal_ioctl_on_vcpu) { return ioctl(s->vcpu, TCGETS, 0); }
ROW(other_type_on_vcpu) { return ioctl(s->vcpu, _IO(KVMIO + 1, 0x80), 0); }
ROW(run_with_wrong_direction) { return ioctl(s->vcpu, _IOR(KVMIO, 0x80, int), 0); }
ROW(region_with_wrong_size) { return ioctl(s->vm, _IOW(KVMIO, 0x46, uint64_t), s->memory); }

// Calls of one kind of descriptor on another.
ROW(create_vm_on_vm) { return ioctl(s->vm, KVM_CREATE_VM, 0); }
ROW(create_vm_on_vcpu) { return ioctl(s->vcpu, KVM_CREATE_VM, 0); }
ROW(api_version_on_vm) { return ioctl(s->vm, KVM_GET_API_VERSION, 0); }
ROW(api_version_on_vcpu) { return ioctl(s->vcpu, KVM_GET_API_VERSION, 0); }
ROW(supported_cpuid_on_vm) { return ioctl(s->vm, KVM_GET_SUPPORTED_CPUID, s->memory); }
ROW(create_vcpu_on_vcpu) { return ioctl(s->vcpu, KVM_CREATE_VCPU, 1); }
ROW(region_on_vcpu) { return ioctl(s->vcpu, KVM_SET_USER_MEMORY_REGION, s->memory); }
ROW(run_on_vm) { return ioctl(s->vm, KVM_RUN, 0); }
ROW(get_regs_on_vm) { return ioctl(s->vm, KVM_GET_REGS, s->memory); }

// A second system descriptor, through which no VM was made.
static int second_system(struct setup *s)
{
	char path[32], name[256];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->system);

	ssize_t length = readlink(path, name, sizeof(name) - 1);

	name[length > 0 ? length : 0] = 0;
	return open(name, O_RDWR | O_CLOEXEC);
}

ROW(create_vcpu_on_fresh_system) { return ioctl(second_system(s), KVM_CREATE_VCPU, 0); }
ROW(region_on_fresh_system) { return ioctl(second_system(s), KVM_SET_USER_MEMORY_REGION, s->memory); }
ROW(run_on_fresh_system) { return ioctl(second_system(s), KVM_RUN, 0); }
ROW(get_regs_on_fresh_system) { return ioctl(second_system(s), KVM_GET_REGS, s->memory); }
ROW(mmap_of_fresh_system)
{
	return mmap(NULL, s->run_size, PROT_READ, MAP_SHARED, second_system(s), 0) == MAP_FAILED ? -1 : 0;
}
// The one through which the VM was made: LiKeX's one descriptor.
ROW(run_on_system) { return ioctl(s->system, KVM_RUN, 0); }
ROW(get_regs_null_on_system) { return ioctl(s->system, KVM_GET_REGS, 0); }
ROW(create_vcpu_duplicate_on_system) { return ioctl(s->system, KVM_CREATE_VCPU, 0); }
ROW(mmap_of_vm) { return mmap(NULL, 0x1000, PROT_READ, MAP_SHARED, s->vm, 0) == MAP_FAILED ? -1 : 0; }
ROW(read_of_system) { return read(s->system, s->memory, 1); }
ROW(write_of_vm) { return write(s->vm, s->memory, 1); }
ROW(read_of_vcpu) { return read(s->vcpu, s->memory, 1); }

// Lists with counts.
static long counted(int fd, unsigned long request, uint32_t count)
{
	uint32_t *list = calloc(1, 0x10000);

	list[0] = count;
	return ioctl(fd, request, list);
}

ROW(supported_cpuid_null) { return ioctl(s->system, KVM_GET_SUPPORTED_CPUID, 0); }
ROW(supported_cpuid_kernel_address) { return ioctl(s->system, KVM_GET_SUPPORTED_CPUID, KERNEL_ADDRESS); }
ROW(supported_cpuid_none) { return counted(s->system, KVM_GET_SUPPORTED_CPUID, 0); }
ROW(supported_cpuid_one) { return counted(s->system, KVM_GET_SUPPORTED_CPUID, 1); }
ROW(supported_cpuid_huge_count) { return counted(s->system, KVM_GET_SUPPORTED_CPUID, 0xffffffff); }
ROW(supported_cpuid_cut_off)
{
	uint32_t *list = before_closed_page(64);

	list[0] = 256;
	return ioctl(s->system, KVM_GET_SUPPORTED_CPUID, list);
}
ROW(msr_index_list_null) { return ioctl(s->system, KVM_GET_MSR_INDEX_LIST, 0); }
ROW(msr_index_list_none) { return counted(s->system, KVM_GET_MSR_INDEX_LIST, 0); }
ROW(msr_index_list_huge_count) { return counted(s->system, KVM_GET_MSR_INDEX_LIST, 0xffffffff); }
ROW(msr_index_list_cut_off)
{
	uint32_t *list = before_closed_page(8);

	list[0] = 4096;
	return ioctl(s->system, KVM_GET_MSR_INDEX_LIST, list);
}
