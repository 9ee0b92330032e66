// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CoreTestSupport
import Testing

/// That `History` notices: histories made by hand, each with one thing wrong that real ones must not have.
@Suite struct HistoryCheckTests {
    private static let root: UInt64 = 0x1000, leaf: UInt64 = 0x70
    private var history = History()

    private static func allocated(_ page: UInt64) -> history_event { event(HISTORY_ALLOCATED, page: page) }
    private static func freed(_ page: UInt64) -> history_event { event(HISTORY_FREED, page: page) }
    private static func cpu(_ kind: history_kind, _ cpu: UInt32) -> history_event { event(kind, cpu: cpu) }
    private static func written(_ page: UInt64, _ index: UInt32, _ from: UInt64, _ to: UInt64, locked: Bool = true)
        -> history_event
    {
        event(HISTORY_WRITTEN, page: page, index: index, locked: locked, from: from, to: to)
    }
    private static func event(
        _ kind: history_kind, cpu: UInt32 = 0, page: UInt64 = 0, index: UInt32 = 0, locked: Bool = false,
        from: UInt64 = 0, to: UInt64 = 0
    ) -> history_event {
        history_event(kind: kind, cpu: cpu, page: page, index: index, locked: locked, from: from, to: to)
    }

    /// Root, tables at 0x2000 (level 3), 0x3000 (2), 0x4000 (1), with guest frame 5 on 0xabc.
    private static let mapped =
        [root, 0x2000, 0x3000, 0x4000].map { allocated($0) } + [
            written(root, 0, 0, 0x2007), written(0x2000, 0, 0, 0x3007), written(0x3000, 0, 0, 0x4007),
            written(0x4000, 5, 0, 0xabc000 | leaf | 5),
        ]
    private static let unlinked = mapped + [written(0x4000, 5, 0xabc000 | leaf | 5, 0), written(0x3000, 0, 0x4007, 0)]

    private mutating func replay(_ events: [history_event]) -> String? {
        do throws(History.Fault) {
            for (number, event) in events.enumerated() {
                _ = try history.replay(event, number: number)
                if number == 0 { try history.setRoot(event.page) }
            }
        } catch {
            return error.description
        }
        return nil
    }

    @Test mutating func aRightOneIsTaken() {
        let end: [history_event] = [Self.cpu(HISTORY_ENTERED, 0), Self.cpu(HISTORY_LEFT, 0), Self.freed(0x4000)]
        #expect(replay(Self.unlinked + end + [Self.cpu(HISTORY_INVEPT, 0), Self.cpu(HISTORY_ENTERED, 0)]) == nil)
        #expect(history.states == 6 && history.tablesFreed == 1 && history.tree.visible.isEmpty)
    }

    /// A walk may do what all entries of its way allow.
    @Test mutating func aTableThatForbids() throws {
        var events = Self.mapped
        events[5] = Self.written(0x2000, 0, 0, 0x3005)
        events[7] = Self.written(0x4000, 5, 0, 0xabc000 | Self.leaf | 7)
        #expect(replay(events) == nil)
        #expect(history.tree.visible == [5: History.Translation(frame: 0xabc, access: 5)])
    }

    @Test mutating func whatIsVisible() throws {
        #expect(replay(Self.mapped) == nil)
        #expect(history.tree.visible == [5: History.Translation(frame: 0xabc, access: 5)])
        _ = try history.replay(Self.written(0x4000, 5, 0xabc000 | Self.leaf | 5, 0xabc000 | Self.leaf | 7), number: 8)
        #expect(history.tree.visible[5]?.access == 7)
        let gone = try history.replay(Self.written(Self.root, 0, 0x2007, 0), number: 9)
        #expect(gone.map(\.gfn) == [5] && gone.allSatisfy { $0.now == nil && $0.event == 9 })
    }

    private static let wrongEntries: [(UInt64, String)] = [
        (0xabc000 | leaf | 2, "writable but not readable"), (0xabc000 | leaf | 4, "execute-only"),
        (0xabc000 | 0x40 | 5, "write-back"), (0xabc000 | 0x30 | 5, "write-back"), (0xabc000 | 0xf0 | 5, "write-back"),
        (1 << 40 | leaf | 5, "beyond"),
    ]

    @Test(arguments: wrongEntries) mutating func misconfiguredLeaves(entry: UInt64, problem: String) {
        #expect(replay(Self.mapped + [Self.written(0x4000, 6, 0, entry)])?.contains(problem) == true)
    }

    @Test mutating func aTablesEntryWithReservedBits() {
        #expect(
            replay(Self.mapped + [Self.allocated(0x5000), Self.written(0x3000, 1, 0, 0x5047)])?.contains("reserved")
                == true)
    }

    @Test(arguments: [
        (0x3000, 0x20_0000 | 0xf7, nil), (0x3000, 0x20_1000 | 0xf7, "aligned"), (0x2000, 0x20_0000 | 0xf7, "aligned"),
        (0x2000, 0x4000_0000 | 0xf7, nil), (root, 0x80_0000_0000 | 0xf7, "level 4"), (0x3000, 0x20_0000 | 0xb7, "write-back"),
    ] as [(UInt64, UInt64, String?)])
    mutating func largePages(table: UInt64, entry: UInt64, problem: String?) {
        let fault = replay(Self.mapped + [Self.written(table, 1, 0, entry)])
        if let problem { #expect(fault?.contains(problem) == true) } else { #expect(fault == nil) }
    }

    struct Wrong: CustomTestStringConvertible {
        var testDescription: String
        fileprivate var events: [history_event]
        fileprivate var problem: String
        fileprivate init(_ name: String, _ events: [history_event], _ problem: String) {
            (testDescription, self.events, self.problem) = (name, events, problem)
        }
    }

    static let wrong = [
        Wrong("linked without being there", mapped + [written(0x3000, 1, 0, 0x9007)], "freed or was never"),
        Wrong("linked twice", mapped + [written(0x3000, 1, 0, 0x4007)], "two places"),
        Wrong("freed while linked", mapped + [freed(0x4000)], "while the tree leads"),
        Wrong("freed twice", unlinked + [freed(0x4000), freed(0x4000)], "wasn't there"),
        Wrong("handed out twice", mapped + [allocated(0x4000)], "second time"),
        Wrong("written without the lock", mapped + [written(0x4000, 6, 0, 0, locked: false)], "without the lock"),
        Wrong("written after it was freed", unlinked + [freed(0x4000), written(0x4000, 0, 0, 0)], "is freed"),
        Wrong("changed behind our back", mapped + [written(0x4000, 5, 0, 0)], "went unseen"),
        Wrong("freed under a guest", unlinked + [cpu(HISTORY_ENTERED, 1), freed(0x4000)], "before the INVEPT"),
        Wrong("entered without INVEPT", unlinked + [freed(0x4000), cpu(HISTORY_ENTERED, 1)], "may still walk"),
        Wrong("a link in a table that is cached", unlinked + [written(0x4000, 0, 0, 0x5001)], "taken out"),
    ]

    @Test(arguments: wrong) mutating func wrongHistories(wrong: Wrong) {
        #expect(replay(wrong.events)?.contains(wrong.problem) == true)
    }
}
