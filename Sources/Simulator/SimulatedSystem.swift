// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import CLikexHW
import Glibc
import KVMABI
import Synchronization

/// An open system file, and what asks no VM: kmod/linux/system.c's part.
final class SimulatedSystem: @unchecked Sendable {
    let machine: Machine
    /// The VM that this file made last, for LiKeX's one-file personality.
    private let own = Mutex<WeakVM>(WeakVM())

    private struct WeakVM: @unchecked Sendable { weak var vm: SimulatedVM? }

    init(_ machine: Machine) { self.machine = machine }

    var ownVM: SimulatedVM? {
        get { own.withLock { $0.vm } }
        set { own.withLock { $0.vm = newValue } }
    }

    static func check(_ number: UInt, _ machine: Machine) -> Int {
        switch Capability.allCases.first(where: { UInt($0.number) == number }) {
        case .userMemory, .setTssAddr, .extCpuid, .mpState, .syncMmu, .userNmi, .nopIoDelay, .destroyMemoryRegionWorks,
            .joinMemoryRegionsWorks, .internalErrorData, .setIdentityMapAddr, .getTscKhz, .readonlyMem,
            .checkExtensionVm, .immediateExit:
            1
        case .tscControl: unsafe machine.caps.pointee.tsc_scaling ? 1 : 0
        case .nrVcpus: 1
        case .maxVcpus: Int(LIKEX_MAX_VCPUS)
        case .maxVcpuId: Int(LIKEX_MAX_VCPU_IDS)
        case .nrMemslots: Int(LIKEX_MAX_MEMSLOTS)
        default: 0
        }
    }

    /// KVM_GET_SUPPORTED_CPUID
    func supportedCPUID(_ argument: UInt) -> Int {
        guard let room = UserMemory.read(argument, as: UInt32.self) else { return Int(-EFAULT) }
        if room < 1 { return Int(-E2BIG) }
        let most = min(room, UInt32(LIKEX_MAX_CPUID))
        var entries = [kvm_cpuid_entry2](repeating: kvm_cpuid_entry2(), count: Int(most))
        let count = unsafe lkx_cpuid_supported(machine.hw, machine.caps, &entries, most)
        if count < 0 { return Int(count) }
        for (index, entry) in entries.prefix(Int(count)).enumerated() {
            let at = argument + 8 + UInt(index * MemoryLayout<kvm_cpuid_entry2>.stride)
            if !UserMemory.write(entry, at) { return Int(-EFAULT) }
        }
        return UserMemory.write(UInt32(count), argument) ? 0 : Int(-EFAULT)
    }

    /// KVM_GET_MSR_INDEX_LIST
    func msrIndices(_ argument: UInt) -> Int {
        guard let room = UserMemory.read(argument, as: UInt32.self) else { return Int(-EFAULT) }
        var indices = [UInt32](repeating: 0, count: 64)
        let count = unsafe lkx_msr_list(machine.hw, machine.caps, &indices, UInt32(indices.count))
        if !UserMemory.write(count, argument) { return Int(-EFAULT) }
        if room < count { return Int(-E2BIG) }
        for (index, value) in indices.prefix(Int(count)).enumerated() {
            if !UserMemory.write(value, argument + 4 + UInt(index * 4)) { return Int(-EFAULT) }
        }
        return 0
    }
}
