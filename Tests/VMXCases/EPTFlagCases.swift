// SPDX-License-Identifier: MIT OR GPL-2.0-only
import VMXSim

/// SDM vol. 3, 29.3.5: accessed in every entry used, dirty in the last one for a write.
package enum EPTFlagCases {
    private typealias Layout = EPTCase.Layout

    package static let all: [EPTCase] = marked + walks + alreadyMarked

    private static let accesses: [(access: EPTAccess, purpose: EPTPurpose, page: UInt64)] = [
        (.read, .linear(0x7000), 0x100), (.execute, .linear(0x7000), 0x100), (.write, .linear(0x7000), 0x300),
        ([.read, .write], .linear(0x7000), 0x300),
        // The guest's own walks count as writes.
        (.read, .tableWalk(0x7000), 0x300),
    ]

    /// A page's entry, by its level, and where the address is in such a page.
    private static let pages: [(level: Int, entry: UInt64, physical: UInt64)] = [
        (1, 0x55_5037, 0x55_5123), (2, 0x40_00B7, 0x40_4123), (3, 0x8000_00B7, 0x8060_4123),
    ]

    private static let marked: [EPTCase] = pages.flatMap { (page) -> [EPTCase] in
        accesses.map { (row) -> EPTCase in
            let entries = EPTCases.way(page.level, page.entry)
            return EPTCase(
                entries: entries, access: row.access, purpose: row.purpose, usesAccessedDirty: true,
                expected: .physical(page.physical, shift: UInt8(3 + 9 * page.level), .all),
                marked: entries.enumerated().map { index, entry in
                    let level = 4 - index
                    return level < page.level ? entry : entry | (level == page.level ? row.page : 0x100)
                })
        }
    }

    /// Walks need permission to write, and report reads and writes. SDM vol. 3, table 28-7.
    private static let walks: [EPTCase] = [
        EPTCase(
            entries: EPTCases.way(1, 0x55_5031), purpose: .tableWalk(0x7000), usesAccessedDirty: true,
            expected: .violation(0x8B)),
        EPTCase(
            entries: EPTCases.way(1, 0x55_5031), purpose: .tableWalk(0x7000),
            expected: .physical(0x55_5123, shift: 12, .read)),
        EPTCase(
            entries: EPTCases.way(1, 0x55_5031), access: .write, purpose: .tableWalk(0x7000),
            expected: .violation(0x8A)),
        EPTCase(
            entries: EPTCases.way(1, 0x55_5031), access: .write, usesAccessedDirty: true,
            expected: .violation(0x18A)),
        EPTCase(
            entries: EPTCases.way(2, 0), purpose: .tableWalk(0x7000), usesAccessedDirty: true,
            expected: .violation(0x83)),
    ]

    private static let alreadyMarked: [EPTCase] = [
        EPTCase(
            entries: [0x2107, 0x3107, 0x4107, 0x55_5337], access: .write, usesAccessedDirty: true,
            expected: .physical(0x55_5123, shift: 12, .all)),
        // Without the flags in the pointer the bits are software's.
        EPTCase(
            entries: [0x2007, 0x3107, 0x4007, 0x55_5237], access: .write,
            expected: .physical(0x55_5123, shift: 12, .all)),
    ]
}
