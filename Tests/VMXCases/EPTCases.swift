// SPDX-License-Identifier: MIT OR GPL-2.0-only
import VMXSim

/// SDM vol. 3, 29.3.
package enum EPTCases {
    /// Every table, under the name of what it is about.
    package static let groups: [(name: String, cases: [EPTCase])] = [
        ("permissions", permissions), ("absent entries", absent), ("levels combined", combined),
        ("pointers of PAE paging", pointers), ("misconfigurations", misconfigured), ("accepted entries", accepted),
        ("accessed and dirty", EPTFlagCases.all),
    ]

    package static let all: [EPTCase] = groups.flatMap(\.cases)

    private typealias Layout = EPTCase.Layout

    /// The open way with the entry of one level replaced.
    package static func way(_ level: Int, _ entry: UInt64) -> [UInt64] {
        var entries = Layout.open
        entries[4 - level] = entry
        return entries
    }

    /// Permissions at each level against each access: bits 2:0 of the entry, the access, whether it is allowed.
    package static let permissions: [EPTCase] = [4, 3, 2, 1].flatMap { (level: Int) -> [EPTCase] in
        let rows: [(UInt64, EPTAccess, Bool)] = [
            (1, .read, true), (1, .write, false), (1, .execute, false),
            (3, .read, true), (3, .write, true), (3, .execute, false),
            (4, .read, false), (4, .write, false), (4, .execute, true),
            (5, .read, true), (5, .write, false), (5, .execute, true),
            (1, [.read, .write], false),
        ]
        return rows.map { (bits, access, isAllowed) -> EPTCase in
            let entries = way(level, Layout.open[4 - level] & ~7 | bits)
            let qualification = UInt64(access.rawValue) | bits << 3 | 0x180
            return EPTCase(
                entries: entries, access: access,
                expected: isAllowed
                    ? .physical(Layout.page | 0x123, shift: 12, EPTAccess(rawValue: UInt8(bits)))
                    : .violation(qualification))
        }
    }

    package static let absent: [EPTCase] = [4, 3, 2, 1].flatMap { (level: Int) -> [EPTCase] in
        [EPTAccess.read, .write, .execute].map { (access: EPTAccess) -> EPTCase in
            // Whatever else is in an entry whose bits 2:0 are clear, it is only absent.
            EPTCase(
                entries: way(level, level % 2 == 0 ? 0 : 0xFFFF_FFFF_FFFF_FFF8), access: access,
                expected: .violation(UInt64(access.rawValue) | 0x180))
        }
    }

    package static let combined: [EPTCase] = [
        EPTCase(
            entries: Layout.open, access: .execute, expected: .physical(Layout.page | 0x123, shift: 12, .all)),
        EPTCase(
            entries: Layout.open, access: [.read, .write], expected: .physical(Layout.page | 0x123, shift: 12, .all)),
        EPTCase(entries: [0x2001, 0x3003, 0x4005, 0x55_5037], access: .write, expected: .violation(0x18A)),
        EPTCase(entries: [0x2003, 0x3005, 0x4007, 0x55_5037], access: .write, expected: .violation(0x18A)),
        EPTCase(entries: [0x2004, 0x3001, 0x4007, 0x55_5037], access: .read, expected: .violation(0x181)),
        EPTCase(
            entries: [0x2005, 0x3007, 0x4005, 0x55_5037], access: .execute,
            expected: .physical(Layout.page | 0x123, shift: 12, [.read, .execute])),
        EPTCase(entries: way(1, 0), access: .read, purpose: .tableWalk(0x7000), expected: .violation(0x81)),
        EPTCase(entries: way(1, 0), access: .write, purpose: .tableWalk(0x7000), expected: .violation(0x82)),
        EPTCase(
            entries: Layout.open, access: .read, address: 1 << 48 | Layout.address, expected: .violation(0x181)),
    ]

    /// Loaded by MOV to CR3: neither through a linear address nor by a walk.
    static let pointers: [EPTCase] = [
        (way(1, 0), .violation(0x1)), (way(2, 0), .violation(0x1)), (way(3, 0), .violation(0x1)),
        (way(1, 0x55_5034), .violation(0x21)), (way(2, 0x4004), .violation(0x21)),
        (way(1, 0x55_5032), .misconfigured(.writableNotReadable, 1)),
        (way(1, 0x55_5017), .misconfigured(.memoryType, 1)),
        (way(1, 0x55_5031), .physical(0x55_5120, shift: 12, .read)),
        (Layout.open, .physical(0x55_5120, shift: 12, .all)),
        (way(2, 0x40_00B7), .physical(0x40_4120, shift: 21, .all)),
    ].map { (entries: [UInt64], expected: EPTCase.Expected) in
        EPTCase(entries: entries, purpose: .noLinear, address: Layout.low, expected: expected)
    }

    /// The open way with one bit more, or other permissions, at one level.
    private static func plus(_ level: Int, _ bit: Int, _ expected: EPTCase.Expected) -> EPTCase {
        EPTCase(entries: way(level, Layout.open[4 - level] | 1 << UInt64(bit)), expected: expected)
    }

    private static func bad(_ level: Int, _ entry: UInt64, _ kind: EPTMisconfiguration) -> EPTCase {
        EPTCase(entries: way(level, entry), expected: .misconfigured(kind, level))
    }

    private static func good(_ level: Int, _ entry: UInt64, _ physical: UInt64, _ shift: UInt8 = 12) -> EPTCase {
        EPTCase(entries: way(level, entry), expected: .physical(physical, shift: shift, .all))
    }

    package static let misconfigured: [EPTCase] = badAtEveryLevel + badTables + badPages

    private static let badAtEveryLevel: [EPTCase] = [4, 3, 2, 1].flatMap { (level: Int) -> [EPTCase] in
        let entry: UInt64 = Layout.open[4 - level] & ~7
        var executeOnly = bad(level, entry | 4, .executeOnly)
        executeOnly.access = .execute
        executeOnly.variant = .without(.executeOnly)
        return [
            bad(level, entry | 2, .writableNotReadable), bad(level, entry | 6, .writableNotReadable), executeOnly,
            plus(level, 40, .misconfigured(.addressWidth, level)),
            plus(level, 51, .misconfigured(.addressWidth, level)),
        ]
    }

    private static let badTables: [EPTCase] = [4, 3, 2].flatMap { (level: Int) -> [EPTCase] in
        [3, 4, 5, 6].map { (bit: Int) -> EPTCase in plus(level, bit, .misconfigured(.reservedInTable, level)) }
    }

    private static let badPages: [EPTCase] = {
        var huge = bad(3, 0x4000_00B7, .reservedInTable)
        huge.variant = .without(.pages1G)
        var large = bad(2, 0x20_00B7, .reservedInTable)
        large.variant = .without(.pages2M)
        return [
            bad(1, 0x55_5017, .memoryType), bad(1, 0x55_501F, .memoryType), bad(1, 0x55_503F, .memoryType),
            bad(4, 0x2087, .reservedInTable), bad(3, 0x4000_0097, .memoryType), bad(2, 0x20_009F, .memoryType),
            bad(3, 0x4000_10B7, .reservedInPage), bad(3, 0x6000_00B7, .reservedInPage),
            bad(2, 0x20_10B7, .reservedInPage), bad(2, 0x30_00B7, .reservedInPage), huge, large,
            // A misconfiguration further down is not seen where the way ends before it.
            EPTCase(entries: [0x2007, 0, 0x4002, 0x55_5007], expected: .violation(0x181)),
        ]
    }()

    package static let accepted: [EPTCase] = acceptedPages + acceptedBits + acceptedTableBits

    private static let acceptedPages: [EPTCase] = [
        good(1, 0x55_5007, 0x55_5123), good(1, 0x55_500F, 0x55_5123), good(1, 0x55_5027, 0x55_5123),
        good(1, 0x55_502F, 0x55_5123), good(1, 0x55_5037, 0x55_5123), good(1, 0xFF_FFFF_F037, 0xFF_FFFF_F123),
        good(2, 0x40_00B7, 0x40_4123, 21), good(3, 0x8000_00B7, 0x8060_4123, 30),
        EPTCase(entries: way(2, 0x40_00B1), access: .write, expected: .violation(0x18A)),
        EPTCase(entries: way(3, 0x8000_00B5), access: .write, expected: .violation(0x1AA)),
    ]

    /// Bits that software may use, "ignore PAT", and A/D where they aren't enabled.
    private static let acceptedBits: [EPTCase] = [6, 7, 8, 9, 10, 11, 52, 62, 63].map { (bit: Int) -> EPTCase in
        plus(1, bit, .physical(Layout.page | 0x123, shift: 12, .all))
    }

    private static let acceptedTableBits: [EPTCase] = [8, 9, 10, 11, 52, 63].map { (bit: Int) -> EPTCase in
        plus(3, bit, .physical(Layout.page | 0x123, shift: 12, .all))
    }
}
