// SPDX-License-Identifier: MIT OR GPL-2.0-only
package import VMXSim

/// One translation: four entries on the way of an address, an access, and what must come of it.
package struct EPTCase: Sendable, CustomStringConvertible {
    /// What an entry of level 4, 3, 2 and 1 holds; tables follow each other from 0x1000 on.
    package var entries: [UInt64]
    package var access: EPTAccess
    package var purpose: EPTPurpose
    package var usesAccessedDirty: Bool
    /// The processor the case is about.
    package var variant: Variant
    package var address: UInt64
    package var expected: Expected
    /// What the entries hold afterwards, where they don't stay as they are.
    package var marked: [UInt64]?

    package init(
        entries: [UInt64], access: EPTAccess = .read, purpose: EPTPurpose = .linear(0x7000),
        usesAccessedDirty: Bool = false, variant: Variant = .asIs, address: UInt64 = Layout.address,
        expected: Expected, marked: [UInt64]? = nil
    ) {
        self.entries = entries
        self.access = access
        self.purpose = purpose
        self.usesAccessedDirty = usesAccessedDirty
        self.variant = variant
        self.address = address
        self.expected = expected
        self.marked = marked
    }

    package enum Expected: Sendable {
        /// The machine's address, log2 of the page's size, what may be done.
        case physical(UInt64, shift: UInt8, EPTAccess)
        case violation(UInt64)
        case misconfigured(EPTMisconfiguration, Int)
    }

    package enum Layout {
        package static let top: UInt64 = 0x1000
        package static let page: UInt64 = 0x55_5000
        /// Indices 1, 2, 3, 4 and offset 0x123.
        package static let address: UInt64 = 1 << 39 | 2 << 30 | 3 << 21 | 4 << 12 | 0x123
        /// Below 4 GiB and with the alignment of PAE paging's pointers: indices 0, 2, 3, 4 and offset 0x120.
        package static let low: UInt64 = 2 << 30 | 3 << 21 | 4 << 12 | 0x120
        /// Entries that allow everything: three tables, and a write-back page.
        package static let open: [UInt64] = [0x2007, 0x3007, 0x4007, 0x55_5037]

        /// Where the entry of a level is.
        package static func place(_ level: Int, _ address: UInt64) -> UInt64 {
            UInt64(5 - level) << 12 + (address >> UInt64(3 + 9 * level) & 511) * 8
        }
    }

    package var pointer: EPTPointer {
        EPTPointer(rawValue: Layout.top | 0x1E | (usesAccessedDirty ? 0x40 : 0))
    }

    /// No two cases have the same.
    package var name: String {
        let words = entries.map { String($0, radix: 16) }.joined(separator: " ")
        let kinds: [(EPTAccess, String)] = [(.read, "r"), (.write, "w"), (.execute, "x")]
        var text = "[\(words)] " + kinds.filter { access.contains($0.0) }.map(\.1).joined()
        switch purpose {
        case .linear: break
        case .tableWalk: text += " by a walk"
        case .noLinear: text += " by MOV to CR3"
        }
        if usesAccessedDirty { text += " A/D" }
        if address != Layout.address { text += " at 0x\(String(address, radix: 16))" }
        return text + (variant.name == Variant.asIs.name ? "" : " \(variant.name)")
    }

    package var description: String { "\(name) -> \(expected)" }

    package func memory() -> TestMemory {
        let memory = TestMemory()
        for (index, entry) in entries.enumerated() { memory.words[Layout.place(4 - index, address)] = entry }
        return memory
    }
}
