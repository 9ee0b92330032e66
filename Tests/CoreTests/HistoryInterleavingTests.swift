// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// Two operations on one VM's memory, the second in each gap that the first one leaves: wherever it gives up ept.lock.
@Suite struct HistoryInterleavingTests {
    enum Outer: String, CaseIterable {
        case readFault, writeFault, breakCopy, hostTakes, hostProtects, deleteSlot, moveSlot
    }

    enum Inner: String, CaseIterable {
        case hostTakes, hostTakesNeighbours, hostProtects, otherFaults, otherWrites, otherMoves
    }

    struct Pair: CustomTestStringConvertible {
        var outer: Outer, inner: Inner
        /// Pages near the one that faults are mapped with it.
        var isNear: Bool
        var testDescription: String { "\(outer) with \(inner)\(isNear ? ", pages near" : "")" }
        static let all = Outer.allCases.flatMap { outer in
            Inner.allCases.flatMap { inner in
                [false, true].map { Pair(outer: outer, inner: inner, isNear: $0) }
            }
        }
    }

    private static let gfn: UInt64 = 20, page: UInt64 = 4

    /// Guest frames 16 to 31 on the VMM's pages 0 to 15 and, in a slot of its own, 40 on page 4 again; both CPUs run
    /// guests.
    private func recorded(_ outer: Outer, isNear: Bool) -> RecordedWorld {
        let recorded = RecordedWorld()
        let world = recorded.world
        recorded.operation("set up") {
            #expect(world.set(0, gfn: 16, pages: 16, page: 0) == 0)
            #expect(world.set(1, gfn: 40, pages: 1, page: Self.page) == 0)
            if outer == .breakCopy { world.host(Self.page, WORLD_COW) }
            for gfn in [17, 18, 21, 40] as [UInt64] { for vcpu in 0..<2 as Range<UInt32> { world.access(vcpu, gfn) } }
            if outer != .readFault && outer != .writeFault {
                for vcpu in 0..<2 as Range<UInt32> { world.access(vcpu, Self.gfn) }
            }
            if isNear { world.host(6, pages: 10, WORLD_PRESENT) }
            world.w.pointee.near = isNear
        }
        return recorded
    }

    private func run(_ outer: Outer, _ world: World) {
        switch outer {
        case .readFault: world.access(0, Self.gfn)
        case .writeFault, .breakCopy: world.access(0, Self.gfn, write: true)
        case .hostTakes: world.host(Self.page, WORLD_LAZY)
        case .hostProtects: world.host(Self.page, WORLD_COW)
        case .deleteSlot: #expect(world.delete(0) == 0)
        case .moveSlot: #expect(world.set(0, gfn: 2000, pages: 16, page: 0) == 0)
        }
    }

    private func run(_ inner: Inner, _ world: World) {
        switch inner {
        case .hostTakes: world.host(Self.page, WORLD_PRESENT)
        case .hostTakesNeighbours: world.host(Self.page - 2, pages: 5, WORLD_LAZY)
        case .hostProtects: world.host(Self.page, WORLD_COW)
        case .otherFaults: world.access(1, Self.gfn)
        case .otherWrites: world.access(1, Self.gfn, write: true)
        case .otherMoves: world_move(world.w, 1, 0)
        }
    }

    @Test(arguments: Pair.all) func everyGap(pair: Pair) {
        var gap: UInt32 = 0
        var gaps: UInt32 = 1
        while gap < gaps {
            let recorded = recorded(pair.outer, isNear: pair.isNear)
            let world = recorded.world
            recorded.operation("\(pair.testDescription) in gap \(gap)") {
                recorded.atUnlock { nth in
                    guard nth == gap else { return }
                    recorded.mark()
                    run(pair.inner, world)
                    recorded.mark()
                }
                run(pair.outer, world)
                gaps = world.w.pointee.unlocks
                recorded.noScript()
            }
            #expect(world.w.pointee.stale == 0)
            agreesWithTheHost(recorded, pair)
            gap += 1
        }
        #expect(gap >= 1)
    }

    /// Whoever looks now, from either CPU, reaches what the host has behind it now; and nothing leads anywhere else.
    private func agreesWithTheHost(_ recorded: RecordedWorld, _ pair: Pair) {
        let world = recorded.world
        let base: UInt64? = pair.outer == .deleteSlot ? nil : pair.outer == .moveSlot ? 2000 : 16
        for (gfn, now) in recorded.history.tree.visible where gfn != 40 {
            guard let base, gfn >= base, gfn < base + 16 else {
                Issue.record("guest frame \(gfn) is mapped, and no slot has it")
                continue
            }
            #expect(now.frame == world.frame(Int(gfn - base)))
            #expect(now.access & 2 == 0 || world.state(Int(gfn - base)) == WORLD_PRESENT)
        }
        recorded.operation("look") {
            for vcpu in 0..<2 as Range<UInt32> {
                if let base { #expect(world.access(vcpu, base + 4).frame == world.frame(4)) }
                if base != 16 { #expect(world.access(vcpu, 20).result == 1) }
                #expect(world.access(vcpu, 40).frame == world.frame(4))
            }
        }
    }

    // MARK: work in pieces

    /// One slot of 40 tables from guest frame 0 on, more than one piece of work; frames of its host pages 0 to 2047 are
    /// at `shift` and up.
    private func large(shift: UInt64) -> RecordedWorld {
        let recorded = RecordedWorld()
        let world = recorded.world
        recorded.operation("set up") {
            #expect(world_set_region(world.w, 0, 0, 0, 40 * 512 * 4096, UInt64(WORLD_HVA) - shift * 4096) == 0)
            world.host(0, pages: 600, WORLD_PRESENT)
            for table in 0..<40 as Range<UInt64> { #expect(!world_map(world.w, table * 512 + 7, 0x10000 + table, 1)) }
        }
        return recorded
    }

    /// The host takes a page while its slot is being deleted, between two pieces: the second piece's page is gone when
    /// the host goes on.
    @Test func aPageOfASlotThatIsBeingDeleted() {
        let recorded = large(shift: 18000)
        let world = recorded.world
        recorded.operation("map") { #expect(!world_map(world.w, 18003, world.frame(3), 7)) }
        var pieces = 0
        recorded.operation("delete") {
            recorded.atUnlock { nth in
                guard world.lookup(18003).isPresent, !world.lookup(7).isPresent else { return }
                pieces += 1
                recorded.mark()
                world.host(3, WORLD_GONE)
                #expect(!world.lookup(18003).isPresent)
                recorded.mark()
            }
            #expect(world.delete(0) == 0)
            recorded.noScript()
        }
        #expect(pieces == 1)
        #expect(recorded.history.tree.visible.isEmpty && recorded.history.tablesFreed >= 40)
    }

    /// A fault on what the first piece of an invalidation has taken away, before the second: not until the host is
    /// done.
    @Test func aFaultInTheMiddleOfAnInvalidation() {
        let recorded = large(shift: 0)
        let world = recorded.world
        recorded.operation("map") { #expect(world.access(0, 5).frame == world.frame(5)) }
        var faults = 0
        recorded.operation("invalidate") {
            recorded.atUnlock { nth in
                guard world.lookup(39 * 512 + 7).isPresent, !world.lookup(5).isPresent else { return }
                faults += 1
                #expect(world.access(1, 5).result == -EAGAIN)
                #expect(!world.lookup(5).isPresent)
            }
            world_invalidate_begin(world.w, 0, 40 * 512)
            recorded.noScript()
        }
        #expect(faults == 1)
        #expect(recorded.history.tree.visible.isEmpty && recorded.history.tablesFreed == 0)
        world_invalidate_end(world.w)
        recorded.operation("again") { #expect(world.access(1, 5).frame == world.frame(5)) }
    }

    /// A range that ends within a page takes the whole page.
    @Test func aRangeOfPartOfAPage() {
        let recorded = large(shift: 0)
        let world = recorded.world
        recorded.operation("map") { for gfn in 4..<7 as Range<UInt64> { world.access(0, gfn) } }
        recorded.operation("invalidate") {
            lkx_mmu_invalidate(world.vm, UInt64(WORLD_HVA) + 4 * 4096 + 100, UInt64(WORLD_HVA) + 5 * 4096 + 1)
        }
        #expect(recorded.visible(4) == nil && recorded.visible(5) == nil && recorded.visible(6) != nil)
    }
}
