// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import VMXSim

/// One translation: four entries on the way of an address, an access, and what must come of it.
struct EPTCase: Sendable, CustomTestStringConvertible {
    /// What an entry of level 4, 3, 2 and 1 holds; tables follow each other from 0x1000 on.
    var entries: [UInt64]
    var access: EPTAccess = .read
    var purpose = EPTPurpose.linear(0x7000)
    var usesAccessedDirty = false
    var capabilities = Capabilities.skylakeX
    var address: UInt64 = Layout.address
    var expected: Expected

    enum Expected: Sendable {
        /// The machine's address, log2 of the page's size, what may be done.
        case physical(UInt64, shift: UInt8, EPTAccess)
        case violation(UInt64)
        case misconfigured(EPTMisconfiguration, Int)
    }

    enum Layout {
        static let top: UInt64 = 0x1000
        static let page: UInt64 = 0x55_5000
        /// Indices 1, 2, 3, 4 and offset 0x123.
        static let address: UInt64 = 1 << 39 | 2 << 30 | 3 << 21 | 4 << 12 | 0x123
        /// Entries that allow everything: three tables, and a write-back page.
        static let open: [UInt64] = [0x2007, 0x3007, 0x4007, 0x55_5037]

        /// Where the entry of a level is.
        static func place(_ level: Int, _ address: UInt64) -> UInt64 {
            UInt64(5 - level) << 12 + (address >> UInt64(3 + 9 * level) & 511) * 8
        }
    }

    var testDescription: String {
        let words = entries.map { String($0, radix: 16) }.joined(separator: " ")
        return "[\(words)] access \(access.rawValue)\(usesAccessedDirty ? " A/D" : "") -> \(expected)"
    }

    func memory() -> TestMemory {
        let memory = TestMemory()
        for (index, entry) in entries.enumerated() { memory.words[Layout.place(4 - index, address)] = entry }
        return memory
    }

    func verify() {
        let walker = EPTWalker(capabilities, memory: memory())
        let pointer = EPTPointer(rawValue: Layout.top | 0x1E | (usesAccessedDirty ? 0x40 : 0))
        switch (walker.translate(address, pointer, access, for: purpose), expected) {
        case (.translated(let mapping), .physical(let physical, let shift, let allowed)):
            #expect(mapping.physical(address) == physical)
            #expect(mapping.shift == shift)
            #expect(mapping.access == allowed)
        case (.violation(let qualification), .violation(let wanted)):
            #expect(qualification == wanted)
        case (.misconfiguration(let kind, let level), .misconfigured(let wanted, let wantedLevel)):
            #expect(kind == wanted)
            #expect(level == wantedLevel)
        case (let outcome, _):
            Issue.record("\(outcome)")
        }
    }
}
