// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The EPT pointer of a VMCS. SDM vol. 3, 25.6.11.
public struct EPTPointer: Sendable, Equatable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    static let addresses: UInt64 = 0x000F_FFFF_FFFF_F000

    /// The physical address of the top table; it alone tags cached translations (EP4TA).
    public var table: UInt64 { rawValue & Self.addresses }
    public var usesAccessedDirty: Bool { rawValue & 1 << 6 != 0 }

    /// What VM entry and INVEPT find wrong with it. SDM vol. 3, 27.2.1.1.
    func faults(_ capabilities: Capabilities) -> [EntryCheck] {
        var faults: [EntryCheck] = []
        let typeFits =
            switch rawValue & 7 {
            case 0: capabilities.has(.uncacheable)
            case 6: capabilities.has(.writeBack)
            default: false
            }
        if !typeFits { faults.append(.eptpMemoryType) }
        if rawValue >> 3 & 7 != 3 { faults.append(.eptpWalkLength) }
        if usesAccessedDirty, !capabilities.has(.accessedDirty) { faults.append(.eptpAccessedDirty) }
        if rawValue & 0xF80 != 0 || capabilities.isBeyond(rawValue) { faults.append(.eptpReserved) }
        return faults
    }
}
