// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import CLikexHW
import Glibc
import Synchronization

/// A VM: what kmod/linux/vm.c is to the core. Results are as the kernel's: a value, or -errno.
@safe final class SimulatedVM: @unchecked Sendable {
    let machine: Machine
    /// Its number among all of this machine's.
    let id: UInt64
    @unsafe let core: UnsafeMutablePointer<lkx_vm>
    /// Slots and the list of vCPUs.
    private let lock = Mutex(())
    private(set) var vcpus: [SimulatedVCPU] = []
    /// Whether there is more to end than its struct: `deinit` runs after a failed `init`, too.
    private let isReady: Bool

    /// nil where the processor can't be brought into VMX operation or memory runs out.
    init?(_ machine: Machine) {
        self.machine = machine
        id = machine.lock.withLock { machine.numberVM() }
        let core = UnsafeMutablePointer<lkx_vm>.allocate(capacity: 1)
        unsafe self.core = unsafe core
        unsafe core.initialize(to: lkx_vm())
        unsafe core.pointee.hw = machine.hw
        unsafe core.pointee.caps = UnsafePointer(machine.caps)
        unsafe core.pointee.tsc_khz = Model.kilohertz
        // The simulated processor doesn't know the APIC-access page: nothing is ever mapped to it.
        unsafe core.pointee.apic_page_withdrawn = true
        var now = Self.clocks(machine)
        unsafe lkx_clock_start(core, &now)
        isReady = machine.lock.withLock {
            guard machine.beginUse() else { return false }
            if unsafe lkx_ept_init(core, machine.caps.pointee.ept_ad) == 0 { return true }
            machine.endUse()
            return false
        }
        if !isReady { return nil }
    }

    deinit {
        if isReady { end() }
        unsafe core.deallocate()
    }

    private func end() {
        machine.lock.withLock {
            for vcpu in vcpus { vcpu.destroy() }
            unsafe lkx_msr_filter_destroy(core)
            unsafe lkx_ept_destroy(core)
            unsafe lkx_memslots_destroy(core)
            machine.endUse()
        }
    }

    /// With the VM's lock: settings that its ioctls change.
    func withSettings<Result>(_ body: () -> Result) -> Result { lock.withLock { _ in body() } }

    /// KVM_CREATE_VCPU: the vCPU, or -errno.
    ///
    /// - Parameter setUp: what else belongs to it, with the machine's lock held and its VMCS loaded: 0, or -errno and there is no vCPU.
    func makeVCPU(_ id: UInt, setUp: (SimulatedVCPU) -> Int = { _ in 0 }) -> (vcpu: SimulatedVCPU?, error: Int) {
        guard id < UInt(LIKEX_MAX_VCPU_IDS) else { return (nil, Int(-EINVAL)) }
        return lock.withLock { _ in
            if vcpus.count >= Int(LIKEX_MAX_VCPUS) { return (nil, Int(-EINVAL)) }
            if vcpus.contains(where: { $0.id == id }) { return (nil, Int(-EEXIST)) }
            let vcpu = SimulatedVCPU(self, id: UInt32(id))
            let error = machine.lock.withLock { vcpu.create(setUp) }
            if error != 0 { return (nil, error) }
            vcpus.append(vcpu)
            unsafe lkx_vm_add_vcpu(core, vcpu.core)
            return (vcpu, 0)
        }
    }

    /// KVM_SET_USER_MEMORY_REGION.
    func setRegion(_ argument: UInt) -> Int {
        guard let region = UserMemory.read(argument, as: kvm_userspace_memory_region.self) else { return Int(-EFAULT) }
        return set(region)
    }

    /// KVM_SET_USER_MEMORY_REGION2: what it has beyond the first counts only with a flag that is refused.
    func setRegion2(_ argument: UInt) -> Int {
        guard let region = UserMemory.read(argument, as: kvm_userspace_memory_region2.self) else { return Int(-EFAULT) }
        return set(
            kvm_userspace_memory_region(
                slot: region.slot, flags: region.flags, guest_phys_addr: region.guest_phys_addr,
                memory_size: region.memory_size, userspace_addr: region.userspace_addr))
    }

    func set(_ region: kvm_userspace_memory_region) -> Int {
        var region = region
        return lock.withLock { _ in
            let error = unsafe lkx_memslot_check(core, &region)
            return Int(error != 0 ? error : unsafe lkx_memslot_apply(core, &region))
        }
    }

    /// KVM_SET_TSS_ADDR: three pages below 4 GiB.
    func setTSSAddress(_ argument: UInt) -> Int {
        guard argument <= 0xFFFF_D000 else { return Int(-EINVAL) }
        lock.withLock { _ in unsafe core.pointee.tss_addr = UInt64(argument) }
        return 0
    }

    /// KVM_SET_IDENTITY_MAP_ADDR: before there are vCPUs.
    func setIdentityMapAddress(_ argument: UInt) -> Int {
        lock.withLock { _ in
            if !vcpus.isEmpty { return Int(-EINVAL) }
            guard let address = UserMemory.read(argument, as: UInt64.self) else { return Int(-EFAULT) }
            unsafe core.pointee.identity_map_addr = address
            return 0
        }
    }
}
