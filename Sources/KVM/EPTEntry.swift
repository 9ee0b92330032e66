// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// An entry of a VM's extended page tables, or a run of leaves that are alike but for their addresses. SDM vol. 3, "The Extended Page
/// Table Mechanism (EPT)".
public struct EPTEntry: Hashable, Sendable {
    /// Of the table that it is in: 4 (PML4) down to 1 (PT).
    public let level: Int
    /// The first guest address that it maps.
    public let address: GuestAddress
    /// Entries one after the other; 1 where they name a table.
    public let count: Int
    /// As the processor has it, without its address.
    public let bits: UInt64
    /// Whether it maps pages and not a table.
    public let isLeaf: Bool

    public init(level: Int, address: GuestAddress, count: Int = 1, bits: UInt64, isLeaf: Bool) {
        self.level = level
        self.address = address
        self.count = count
        self.bits = bits
        self.isLeaf = isLeaf
    }

    /// Bytes of guest addresses that one entry of a level maps.
    public static func span(_ level: Int) -> UInt64 { 4096 << (9 * UInt64(level - 1)) }

    public var size: UInt64 { Self.span(level) * UInt64(count) }
    /// The first address behind it.
    public var end: UInt64 { address.rawValue + size }

    public var isReadable: Bool { bits & 1 != 0 }
    public var isWritable: Bool { bits & 2 != 0 }
    public var isExecutable: Bool { bits & 4 != 0 }
    public var isAccessed: Bool { bits & 1 << 8 != 0 }
    public var isDirty: Bool { isLeaf && bits & 1 << 9 != 0 }
    /// A leaf's memory type holds whatever the guest's PAT says.
    public var ignoresPAT: Bool { isLeaf && bits & 1 << 6 != 0 }

    /// `rw-`
    public var permissions: String {
        (isReadable ? "r" : "-") + (isWritable ? "w" : "-") + (isExecutable ? "x" : "-")
    }

    /// A leaf's memory type: `WB`; nil of an entry that names a table. SDM vol. 3, 28.3.7
    public var memoryType: String? {
        guard isLeaf else { return nil }
        switch bits >> 3 & 7 {
        case 0: return "UC"
        case 1: return "WC"
        case 4: return "WT"
        case 5: return "WP"
        case 6: return "WB"
        case let number: return "type \(number)"
        }
    }
}
