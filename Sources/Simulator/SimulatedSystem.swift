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
        case .userMemory, .userMemory2, .preFaultMemory, .setTssAddr, .extCpuid, .mpState, .syncMmu, .userNmi, .nopIoDelay, .destroyMemoryRegionWorks,
            .joinMemoryRegionsWorks, .internalErrorData, .setIdentityMapAddr, .getTscKhz, .readonlyMem,
            .checkExtensionVm, .immediateExit, .enableCapVm, .vcpuEvents, .intrShadow, .exceptionPayload,
            .x86TripleFaultEvent, .debugregs, .xsave, .sregs2, .getMsrFeatures, .setGuestDebug, .x86RobustSinglestep,
            .x86UserSpaceMsr, .x86MsrFilter, .exitOnEmulationFailure, .splitIrqchip, .tscDeadlineTimer:
            1
        case .setGuestDebug2:
            Int(
                UInt32(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP) | UInt32(KVM_GUESTDBG_USE_SW_BP)
                    | UInt32(KVM_GUESTDBG_USE_HW_BP) | UInt32(KVM_GUESTDBG_INJECT_DB) | UInt32(KVM_GUESTDBG_INJECT_BP)
                    | UInt32(KVM_GUESTDBG_BLOCKIRQ))
        case .x2apicApi: Int(KVM_X2APIC_API_USE_32BIT_IDS) | Int(KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
        case .manualDirtyLogProtect2: Int(KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE) | Int(KVM_DIRTY_LOG_INITIALLY_SET)
        // As a processor without XSAVE.
        case .xcrs: 0
        case .x86DisableExits: Int(unsafe machine.caps.pointee.disable_exits)
        case .xsave2: MemoryLayout<kvm_xsave>.size
        case .adjustClock: Int(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)
        case .tscControl: unsafe machine.caps.pointee.tsc_scaling ? 1 : 0
        case .nrVcpus: 1
        case .maxVcpus: Int(LIKEX_MAX_VCPUS)
        case .maxVcpuId: Int(LIKEX_MAX_VCPU_IDS)
        case .nrMemslots: Int(LIKEX_MAX_MEMSLOTS)
        case .likexCapCreate: Int(LIKEX_CREATE_MEMSLOTS)
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

    /// KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST
    func msrIndices(_ argument: UInt, features: Bool) -> Int {
        guard let room = UserMemory.read(argument, as: UInt32.self) else { return Int(-EFAULT) }
        var indices = [UInt32](repeating: 0, count: 64)
        let most = UInt32(indices.count)
        let count =
            unsafe features
            ? lkx_msr_feature_list(&indices, most) : lkx_msr_list(machine.hw, machine.caps, &indices, most)
        if !UserMemory.write(count, argument) { return Int(-EFAULT) }
        if room < count { return Int(-E2BIG) }
        for (index, value) in indices.prefix(Int(count)).enumerated() {
            if !UserMemory.write(value, argument + 4 + UInt(index * 4)) { return Int(-EFAULT) }
        }
        return 0
    }

    /// KVM_GET_MSRS of this file: how many of the list there were before the first that is no feature.
    func msrFeatures(_ argument: UInt) -> Int {
        guard let count = UserMemory.read(argument, as: UInt32.self) else { return Int(-EFAULT) }
        if count >= UInt32(LIKEX_MAX_MSRS) { return Int(-E2BIG) }
        for number in 0..<UInt(count) {
            let at = argument + 8 + number * UInt(MemoryLayout<kvm_msr_entry>.stride)
            guard var entry = UserMemory.read(at, as: kvm_msr_entry.self) else { return Int(-EFAULT) }
            if unsafe lkx_msr_feature(entry.index, &entry.data) { return Int(number) }
            if !UserMemory.write(entry, at) { return Int(-EFAULT) }
        }
        return Int(count)
    }
}
