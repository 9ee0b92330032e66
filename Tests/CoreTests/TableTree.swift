// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Page tables as a processor reads them, kept apart from the core's: pages come and go, entries are written, and after
/// each write the tree below the root is what a walk would meet. SDM vol. 3, 28.3.
struct TableTree {
    struct Translation: Equatable {
        var frame: UInt64
        /// Bits 2:0 of all entries of the way together.
        var access: UInt64
    }

    /// What a processor met that it must never meet.
    struct Fault: Error, Equatable, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }

    struct Place: Equatable {
        /// 4 for the root.
        var level: Int
        /// The first guest frame that the table covers.
        var gfn: UInt64
        /// What the entries on the way there allow.
        var access: UInt64

        /// Where the table hangs that entry `index` leads to.
        func below(_ index: Int, _ entry: UInt64) -> Place {
            Place(level: level - 1, gfn: gfn + UInt64(index) * TableTree.span(level), access: access & entry & 7)
        }
    }

    struct Page {
        var entries = [UInt64](repeating: 0, count: 512)
        /// Where it hangs in the tree; nil: nowhere.
        var place: Place?
    }

    /// Frames from this one on the processor can't address.
    let frames: UInt64
    private(set) var root: UInt64?
    private(set) var pages: [UInt64: Page] = [:]
    /// What walks from the root give now.
    private(set) var visible: [UInt64: Translation] = [:]

    private static let addressBits: UInt64 = 0x000f_ffff_ffff_f000
    /// The processor's own: accessed and dirty.
    static let processorBits: UInt64 = 1 << 8 | 1 << 9

    init(physicalBits: UInt64) { frames = 1 << (physicalBits - 12) }

    static func isPresent(_ entry: UInt64) -> Bool { entry & 7 != 0 }
    /// Does a present entry of a level name memory, and no table?
    static func isLeaf(_ entry: UInt64, _ level: Int) -> Bool { level == 1 || entry & 0x80 != 0 }
    /// Guest frames that an entry of a level covers.
    static func span(_ level: Int) -> UInt64 { 1 << (9 * UInt64(level - 1)) }

    mutating func allocate(_ page: UInt64) throws(Fault) {
        guard pages[page] == nil else { throw Fault("page \(hex(page)) is handed out a second time") }
        pages[page] = Page()
    }

    /// The first page hung up is the root.
    mutating func setRoot(_ page: UInt64) throws(Fault) {
        guard pages[page] != nil else { throw Fault("the root \(hex(page)) is no page") }
        root = page
        pages[page]!.place = Place(level: 4, gfn: 0, access: 7)
    }

    mutating func free(_ page: UInt64) throws(Fault) {
        guard let old = pages.removeValue(forKey: page) else {
            throw Fault("page \(hex(page)) is freed and wasn't there")
        }
        if old.place != nil && page != root { throw Fault("page \(hex(page)) is freed while the tree leads to it") }
    }

    /// One entry becomes another: the translations that changed by it, nil where there is none any more, and the table
    /// that was taken out.
    mutating func write(_ page: UInt64, _ index: Int, from: UInt64, to: UInt64)
        throws(Fault) -> (changes: [(gfn: UInt64, now: Translation?)], unlinked: UInt64?)
    {
        guard let old = pages[page]?.entries[index] else { throw Fault("a write to page \(hex(page)), which is freed") }
        guard (old ^ from) & ~Self.processorBits == 0 else {
            throw Fault("entry \(index) of page \(hex(page)) was \(hex(from)), not \(hex(old)): a write went unseen")
        }
        pages[page]!.entries[index] = to
        guard let place = pages[page]!.place else { return ([], nil) }
        let gfn = place.gfn + UInt64(index) * Self.span(place.level)
        var gone: [UInt64: Translation] = [:]
        var come: [UInt64: Translation] = [:]
        var unlinked: UInt64?
        if Self.isPresent(from) {
            if !Self.isLeaf(from, place.level) {
                let table = from & Self.addressBits
                try hang(table, nil)
                unlinked = table
            }
            try read(from, level: place.level, gfn: gfn, access: place.access, into: &gone)
        }
        if Self.isPresent(to) {
            if !Self.isLeaf(to, place.level) {
                let table = to & Self.addressBits
                if pages[table]?.place != nil { throw Fault("table \(hex(table)) hangs in two places") }
                try hang(table, place.below(index, to))
            }
            try read(to, level: place.level, gfn: gfn, access: place.access, into: &come)
        }
        var changes: [(gfn: UInt64, now: Translation?)] = []
        for (gfn, _) in gone where come[gfn] == nil {
            visible[gfn] = nil
            changes.append((gfn, nil))
        }
        for (gfn, now) in come where gone[gfn] != now {
            visible[gfn] = now
            changes.append((gfn, now))
        }
        return (changes, unlinked)
    }

    private mutating func hang(_ table: UInt64, _ place: Place?) throws(Fault) {
        guard pages[table] != nil else {
            throw Fault("an entry leads to page \(hex(table)), which is freed or was never a table")
        }
        pages[table]!.place = place
        guard let place, place.level > 1 else { return }
        for (index, entry) in pages[table]!.entries.enumerated()
        where Self.isPresent(entry) && !Self.isLeaf(entry, place.level) {
            try hang(entry & Self.addressBits, place.below(index, entry))
        }
    }

    /// All that a walk through `entry` can end in.
    private func read(_ entry: UInt64, level: Int, gfn: UInt64, access: UInt64, into found: inout [UInt64: Translation])
        throws(Fault)
    {
        if let wrong = misconfiguration(entry, level: level) {
            throw Fault("EPT misconfiguration: \(hex(entry)) at level \(level) for guest frame \(hex(gfn)): \(wrong)")
        }
        let access = access & entry & 7
        if Self.isLeaf(entry, level) {
            let first = (entry & Self.addressBits) / 4096
            for page in 0..<Self.span(level) { found[gfn + page] = Translation(frame: first + page, access: access) }
            return
        }
        guard let table = pages[entry & Self.addressBits] else {
            throw Fault("entry \(hex(entry)) leads to a freed page")
        }
        for (index, below) in table.entries.enumerated() where Self.isPresent(below) {
            try read(
                below, level: level - 1, gfn: gfn + UInt64(index) * Self.span(level - 1), access: access, into: &found)
        }
    }

    /// SDM vol. 3, 28.3.3.1, and that leaves are write-back whatever the guest's PAT says.
    private func misconfiguration(_ entry: UInt64, level: Int) -> String? {
        if entry & 3 == 2 { return "writable but not readable" }
        if entry & 7 == 4 { return "execute-only, which a processor need not have" }
        // Where a table is, `pages` knows.
        if !Self.isLeaf(entry, level) { return entry & 0xf8 == 0 ? nil : "reserved bits of a table's entry" }
        if level > 3 { return "a large page at level 4" }
        if entry & Self.addressBits >= frames * 4096 { return "address beyond the processor's" }
        if entry & Self.addressBits / 4096 % Self.span(level) != 0 { return "a large page that is not aligned" }
        return entry & 0xf8 == (level == 1 ? 0x70 : 0xf0) ? nil : "memory type and bits 7:6 are not write-back, PAT ignored"
    }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
