// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// What a vCPU's whole state is made of on a device: which MSRs, and which parts every processor has but not every device tells of.
public struct StateLayout: Sendable {
    /// KVM_GET_MSR_INDEX_LIST
    let msrs: [UInt32]
    /// KVM_CAP_XCRS: XCR0, where the processor has XSAVE.
    let hasXCRs: Bool
    /// KVM_CAP_SREGS2: the PDPTEs of PAE paging as the processor has loaded them.
    let hasSpecialRegisters2: Bool
    /// Capabilities to turn on in both VMs, so that an exception that waits is not taken for one in delivery, a triple fault is not lost, and
    /// instructions that the device can't emulate come to user space from both.
    let enabled: [Capability]

    /// Without these a vCPU can't be saved whole.
    private static let needed: [Capability] = [.vcpuEvents, .debugregs, .xsave, .mpState]

    /// - Throws: a `KVMError` that names the first capability without which there is no whole state.
    public init(of system: borrowing System) throws(KVMError) {
        for capability in Self.needed where try system.check(capability) == 0 {
            throw KVMError(
                operation: "save a vCPU", errno: .notATypewriter,
                meaning: "\(system.path) doesn't offer \(capability.name), so a vCPU's state can't be had whole")
        }
        msrs = try system.msrIndices()
        hasXCRs = try system.check(.xcrs) != 0
        hasSpecialRegisters2 = try system.check(.sregs2) != 0
        var enabled: [Capability] = []
        for capability in [Capability.exceptionPayload, .x86TripleFaultEvent, .exitOnEmulationFailure]
        where try system.check(capability) != 0 {
            enabled.append(capability)
        }
        self.enabled = enabled
    }
}
