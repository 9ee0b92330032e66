// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

extension KVMError {
    /// What an error of an ioctl likely means and what to do about it; nil when the error's text says it all.
    ///
    /// The source is KVM's API documentation, ioctl by ioctl.
    static func meaning(of errno: Errno, from ioctl: Ioctl) -> String? {
        switch (ioctl, errno) {
        case (_, .notATypewriter):
            return "the device does not offer this ioctl on this kind of file; it is a \(ioctl.scope) ioctl"
        case (.createVm, .busy):
            return "another hypervisor holds VMX on this machine: end its virtual machines, or unload it "
                + "(modprobe -r kvm_intel), or on Linux 6.12 and later load kvm with enable_virt_at_load=0, and try again"
        case (.createVm, .noDevice):
            return "this CPU can't run virtual machines, or the firmware has locked VMX off: see 'likex doctor'"
        case (.createVm, .invalidArgument):
            return "the machine type isn't one this device knows: use 0"
        case (.createVcpu, .exists):
            return "a vCPU with this id was made before: use another id"
        case (.createVcpu, .invalidArgument):
            return "the vCPU id is at or above KVM_CAP_MAX_VCPU_ID, or there are KVM_CAP_MAX_VCPUS already"
        case (.setUserMemoryRegion, .exists):
            return "the slot overlaps another slot's guest addresses"
        case (.setUserMemoryRegion, .invalidArgument):
            return "address and size must be multiples of 4096, the slot below KVM_CAP_NR_MEMSLOTS, the flags ones "
                + "the device offers, and an existing slot can't change its size or become read-only"
        case (.setUserMemoryRegion, .badAddress), (.run, .badAddress):
            return "guest memory is backed by host addresses that can't be read or written"
        case (.run, .invalidArgument):
            return "the vCPU's state can't be run: registers set before don't make a valid state"
        case (.setSregs, .invalidArgument):
            return "the special registers contradict each other (CR0, CR4 and EFER), or set reserved bits"
        case (.setCpuid2, .listTooBig), (.getSupportedCpuid, .listTooBig):
            return "more CPUID entries than there is room for"
        case (.setCpuid2, .invalidArgument):
            return "an entry asks for what the CPU or the device can't give, or the vCPU has run already"
        case (.interrupt, .exists):
            return "an interrupt is already waiting to be injected: wait until the vCPU is ready for another"
        case (.interrupt, .noSuchDeviceOrAddress):
            return "the interrupt controller is in the kernel, so it is not user space that injects interrupts"
        case (_, .noMemory):
            return "the kernel has no memory left for it, or the cgroup's limit is reached"
        case (_, .inputOutput):
            return "the file belongs to another process: a virtual machine works in the process that made it only"
        case (_, .interrupted):
            return "a signal came in before it was done"
        default:
            return nil
        }
    }

    /// What an error from opening a device likely means.
    static func meaning(of errno: Errno, opening path: String) -> String? {
        switch errno {
        case .noSuchFile:
            return "there is no such device: load its module (insmod likex.ko for /dev/rust_kvm, "
                + "modprobe kvm-intel for /dev/kvm), or name another with --device"
        case .permissionDenied, .operationNotPermitted:
            return
                "you may not open it: run as root, or join the group that owns it (ls -l \(path); usermod -aG kvm $USER)"
        case .noDevice, .noSuchDeviceOrAddress:
            return "the device file is there but no module serves it: load its module"
        case .busy:
            return "somebody else holds it: end the virtual machines that use it"
        default:
            return nil
        }
    }
}
