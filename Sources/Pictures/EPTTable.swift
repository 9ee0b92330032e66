// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// A table of a VM's extended page tables, with all below it: the 512 entries as runs of like ones.
public struct EPTTable: Sendable {
    public enum Content: Equatable, Sendable {
        /// Addresses that nothing maps.
        case hole
        case leaf(EPTEntry)
        /// Tables that are all alike, below entries that are too: the first of them.
        case table(EPTEntry, EPTTable)
    }

    /// Entries one after the other.
    public struct Item: Equatable, Sendable {
        public let content: Content
        /// The number of the first one in its table.
        public let index: Int
        public internal(set) var count: Int
        public let address: UInt64

        /// `0-3`
        public var indices: String { count == 1 ? "\(index)" : "\(index)-\(index + count - 1)" }
    }

    /// 4 (PML4) down to 1 (PT).
    public let level: Int
    public let address: UInt64
    public let items: [Item]

    /// `PML4`, `PDPT`, `PD`, `PT`
    public var name: String { Self.name(level) }
    public static func name(_ level: Int) -> String { ["PT", "PD", "PDPT", "PML4"][level - 1] }

    /// The tree of a snapshot, from its root.
    public init(_ snapshot: EPTSnapshot) {
        var builder = Builder(entries: snapshot.entries, end: snapshot.end)
        self = builder.table(level: 4, address: 0)
    }

    fileprivate init(level: Int, address: UInt64, items: [Item]) {
        self.level = level
        self.address = address
        self.items = items
    }
}

extension EPTTable: Equatable {
    /// Alike wherever they are: the same entries at the same places, whatever the addresses.
    public static func == (a: EPTTable, b: EPTTable) -> Bool {
        guard a.level == b.level, a.items.count == b.items.count else { return false }
        return zip(a.items, b.items).allSatisfy { one, other in
            guard one.index == other.index, one.count == other.count else { return false }
            switch (one.content, other.content) {
            case (.hole, .hole): return true
            case (.leaf(let one), .leaf(let other)): return one.bits == other.bits
            case (.table(let one, let below), .table(let other, let otherBelow)):
                return one.bits == other.bits && below == otherBelow
            default: return false
            }
        }
    }
}

/// Takes a snapshot's entries in their order; the snapshot's reader has seen to it that each lies in its table.
private struct Builder {
    let entries: [EPTEntry]
    /// Addresses from here on are no holes: nothing can be there.
    let end: UInt64
    private var next = 0

    init(entries: [EPTEntry], end: UInt64) {
        self.entries = entries
        self.end = end
    }

    mutating func table(level: Int, address: UInt64) -> EPTTable {
        let span = EPTEntry.span(level)
        let last = address + span * 512
        var items: [EPTTable.Item] = []
        var reached = address
        while next < entries.count, entries[next].level == level, entries[next].address.rawValue < last {
            let entry = entries[next]
            next += 1
            let start = entry.address.rawValue
            addHole(&items, from: reached, to: start, address, span)
            reached = entry.end
            let index = Int((start - address) / span)
            if entry.isLeaf {
                items.append(.init(content: .leaf(entry), index: index, count: entry.count, address: start))
                continue
            }
            let below = table(level: level - 1, address: start)
            if let before = items.last, case .table(let other, let table) = before.content, other.bits == entry.bits,
                before.index + before.count == index, table == below
            {
                items[items.count - 1].count += 1
            } else {
                items.append(.init(content: .table(entry, below), index: index, count: 1, address: start))
            }
        }
        addHole(&items, from: reached, to: min(last, end), address, span)
        return EPTTable(level: level, address: address, items: items)
    }

    private func addHole(
        _ items: inout [EPTTable.Item], from: UInt64, to: UInt64, _ address: UInt64, _ span: UInt64
    ) {
        guard from < to else { return }
        let index = Int((from - address) / span)
        let count = Int((to - from + span - 1) / span)
        items.append(.init(content: .hole, index: index, count: count, address: from))
    }
}
