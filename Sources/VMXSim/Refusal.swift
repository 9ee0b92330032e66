// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVMABI

/// A check that a VMCS didn't pass, and the field that is to blame.
public struct Refusal: Sendable, Equatable, CustomStringConvertible {
    public let check: EntryCheck
    public let field: VMCSField
    public let value: UInt64

    /// "guestSegmentType (SDM vol. 3, 27.3.1.2): GUEST_TR_ACCESS_RIGHTS is 0x83"
    public var description: String {
        "\(check) (SDM vol. 3, \(check.section)): \(field.name) is 0x\(String(value, radix: 16))"
    }
}

/// What the checks of VM entry look at, and what they found.
struct EntryChecker {
    let vmcs: VMCS
    let capabilities: Capabilities
    let memory: any PhysicalMemory
    private(set) var refusals: [Refusal] = []

    init(_ vmcs: VMCS, _ capabilities: Capabilities, _ memory: any PhysicalMemory) {
        self.vmcs = vmcs
        self.capabilities = capabilities
        self.memory = memory
    }

    /// Notes a refusal unless `passed`.
    mutating func check(_ check: EntryCheck, _ field: VMCSField, _ passed: Bool) {
        if !passed { refusals.append(Refusal(check: check, field: field, value: vmcs[field])) }
    }

    /// The first check that fails decides; each group only runs when those before passed.
    mutating func run() {
        controls()
        exitControls()
        entryControls()
        if !refusals.isEmpty { return }
        host()
        if !refusals.isEmpty { return }
        guest()
    }

    /// Low bits clear and no bits beyond the processor's addresses.
    func isAddress(_ field: VMCSField, alignment: UInt64 = 4096) -> Bool {
        let address = vmcs[field]
        return address & (alignment - 1) == 0 && !capabilities.isBeyond(address)
    }
}
