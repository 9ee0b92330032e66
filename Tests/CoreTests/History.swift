// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CoreTestSupport

/// Replays what was written down of a world's page tables (history.h) and judges each state on the way as a processor
/// would that walks at that moment, or that walks with what it has cached.
struct History {
    typealias Fault = TableTree.Fault
    typealias Translation = TableTree.Translation

    private(set) var tree: TableTree
    /// States looked at: one for each write.
    private(set) var states = 0
    private(set) var tablesFreed = 0
    private var processors = [Processor](repeating: Processor(), count: Int(WORLD_CPUS))

    private struct Processor {
        /// vCPUs that run a guest there.
        var guests = 0
        /// Tables taken out of the tree that it may still have cached the way to.
        var stale: Set<UInt64> = []
        /// Of these, pages that are freed: it must not run a guest.
        var dangling: Set<UInt64> = []
    }

    /// A translation that became visible, nil: that went, by the event of that number.
    struct Change {
        var event: Int
        var gfn: UInt64
        var now: Translation?
    }

    init(physicalBits: UInt64 = 40) { tree = TableTree(physicalBits: physicalBits) }

    mutating func setRoot(_ page: UInt64) throws(Fault) { try tree.setRoot(page) }

    /// One event: what it changed for walks from the root.
    mutating func replay(_ event: history_event, number: Int = 0) throws(Fault) -> [Change] {
        switch event.kind {
        case HISTORY_ALLOCATED: try tree.allocate(event.page)
        case HISTORY_FREED: try free(event.page)
        case HISTORY_WRITTEN: return try write(event, number)
        case HISTORY_INVEPT:
            processors[Int(event.cpu)].stale = []
            processors[Int(event.cpu)].dangling = []
        case HISTORY_ENTERED:
            if let page = processors[Int(event.cpu)].dangling.first {
                throw Fault("a guest runs on CPU \(event.cpu), which may still walk page \(hex(page)), freed")
            }
            processors[Int(event.cpu)].guests += 1
        case HISTORY_LEFT: processors[Int(event.cpu)].guests -= 1
        default: break
        }
        return []
    }

    private mutating func free(_ page: UInt64) throws(Fault) {
        if tree.pages[page]?.place == nil { tablesFreed += 1 }
        try tree.free(page)
        for cpu in processors.indices where processors[cpu].stale.contains(page) {
            if processors[cpu].guests > 0 {
                throw Fault("page \(hex(page)) is freed before the INVEPT of CPU \(cpu), where a guest runs")
            }
            // Whose page it will be next, only those that walk without INVEPT find out.
            processors[cpu].stale.remove(page)
            processors[cpu].dangling.insert(page)
        }
    }

    private mutating func write(_ event: history_event, _ number: Int) throws(Fault) -> [Change] {
        states += 1
        guard event.locked else {
            throw Fault("entry \(event.index) of page \(hex(event.page)) is written without the lock")
        }
        if processors.contains(where: { $0.stale.contains(event.page) }) && TableTree.isPresent(event.to) {
            throw Fault(
                "\(hex(event.to)) in a table that is taken out: who cached the way there takes it for a mapping"
            )
        }
        let (changes, unlinked) = try tree.write(event.page, Int(event.index), from: event.from, to: event.to)
        if let unlinked {
            for cpu in processors.indices { processors[cpu].stale.insert(unlinked) }
        }
        return changes.map { Change(event: number, gfn: $0.gfn, now: $0.now) }
    }
}
