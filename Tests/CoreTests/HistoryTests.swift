// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import TestRandom
import Testing

/// Each state of the page tables on the way is one that a processor may meet: `RecordedWorld` judges every single
/// write.
@Suite struct HistoryTests {
    private typealias Translation = History.Translation
    private let read: UInt64 = 1, write: UInt64 = 2, execute: UInt64 = 4

    /// Guest frames 16 to 271 on the VMM's pages 0 to 255, both CPUs run a guest.
    private func recorded(mapped: Range<UInt64> = 16..<32) -> RecordedWorld {
        let recorded = RecordedWorld()
        recorded.operation("set") { #expect(recorded.world.set(0, gfn: 16, pages: 256, page: 0) == 0) }
        recorded.operation("map") {
            for gfn in mapped {
                recorded.world.access(0, gfn, write: true)
                recorded.world.access(1, gfn)
            }
        }
        return recorded
    }

    @Test func aMappingAppearsWithItsLastWrite() {
        let recorded = RecordedWorld()
        let world = recorded.world
        world.set(0, gfn: 16, pages: 256, page: 0)
        // Three tables and the leaf; then the leaf alone.
        #expect(recorded.operation("first") { world.access(0, 20) } == 4)
        #expect(recorded.operation("second") { world.access(0, 21) } == 1)
        #expect(recorded.operation("none") { world.access(1, 20, write: true) } == 0)
        #expect(recorded.visible(20) == Translation(frame: world.frame(4), access: 7))
        #expect(recorded.history.tree.visible.count == 2)
    }

    @Test func anotherFrameIsPutInOneStep() {
        let recorded = recorded()
        let world = recorded.world
        let states = recorded.operation("remap") { #expect(world_map(world.w, 20, 0x777, read | write)) }
        #expect(states == 1)
        #expect(recorded.visible(20) == Translation(frame: 0x777, access: 3))
        lkx_tlb_flush(world.vm)
    }

    /// A fault that finds another frame mapped: what processors have of that one goes before the fault ends.
    @Test func aFaultThatReplacesAFrameFlushes() {
        let recorded = recorded()
        let world = recorded.world
        let before = world.w.pointee.kicks
        recorded.operation("old") {
            #expect(!world_map(world.w, 100, 0x777, read))
            #expect(world.access(1, 100).frame == 0x777)
        }
        recorded.operation("fault") { #expect(world.access(0, 100, write: true).frame == world.frame(84)) }
        #expect(world.w.pointee.kicks == before + 1)
        #expect(world.access(1, 100).frame == world.frame(84))
    }

    @Test func permissionsAreAddedWithoutLosingTheProcessorsBits() {
        let recorded = recorded(mapped: 16..<17)
        let world = recorded.world
        recorded.operation("read-only") { #expect(!world_map(world.w, 18, 0x777, read)) }
        world.w.pointee.touch = TableTree.processorBits
        let states = recorded.operation("widen") { #expect(!world_map(world.w, 18, 0x777, read | write)) }
        #expect(states == 1)
        world.w.pointee.touch = 0
        #expect(world.lookup(18).value & TableTree.processorBits == TableTree.processorBits)
        #expect(recorded.visible(18) == Translation(frame: 0x777, access: 3))
    }

    @Test(arguments: [WORLD_COW, WORLD_PROTECTED]) func writeProtection(state: world_page_state) {
        let recorded = recorded()
        let world = recorded.world
        #expect(recorded.operation("protect") { world.host(2, pages: 3, state) } == 3)
        #expect(recorded.visible(18) == nil && recorded.visible(17) != nil && recorded.visible(21) != nil)
        recorded.operation("read") { #expect(world.access(1, 19).frame == world.frame(3)) }
        #expect(recorded.visible(19)?.access == 5)
        let written = recorded.operation("write") {
            #expect(world.access(0, 19, write: true).result == (state == WORLD_COW ? 0 : -EFAULT))
        }
        // The copy: the shared frame goes, its own comes.
        #expect(written == (state == WORLD_COW ? 2 : 0))
        #expect(world.w.pointee.stale == 0)
    }

    @Test(arguments: [true, false]) func aRangeIsTakenOutWithoutItsNeighbours(keepTables: Bool) {
        let recorded = RecordedWorld()
        let world = recorded.world
        recorded.operation("map") {
            for gfn in stride(from: 0, to: 4096, by: 64) as StrideTo<UInt64> {
                #expect(!world_map(world.w, gfn, gfn + 1, read))
            }
        }
        recorded.operation("run") { _ = world.access(0, 0) }
        // 16 tables of 8 mappings; of the first and the last some stay.
        let states = recorded.operation("zap") { #expect(world_zap(world.w, 128, 4096 - 256, keepTables)) }
        #expect(recorded.history.tree.visible.keys.sorted() == [0, 64, 3968, 4032])
        #expect(recorded.history.tablesFreed == (keepTables ? 0 : 6))
        #expect(states == (keepTables ? 60 : 60 + 6 * 2))
    }

    @Test func aDeletedSlotsTablesAreFreedWhenNobodyWalksThem() {
        let recorded = recorded()
        let world = recorded.world
        recorded.operation("more") {
            #expect(world.set(1, gfn: 1024, pages: 1024, page: 300) == 0)
            for gfn in stride(from: 1024, to: 2048, by: 50) as StrideTo<UInt64> {
                world.access(UInt32(gfn / 50 % 2), gfn, write: true)
            }
        }
        recorded.operation("delete") { #expect(world.delete(1) == 0) }
        #expect(recorded.history.tablesFreed == 2)
        #expect(recorded.history.tree.visible.keys.sorted() == Array(16..<32))
        recorded.operation("go on") { #expect(world.access(0, 20).result == 0 && world.access(0, 1024).result == 1) }
    }

    @Test func aMovedSlotIsGoneFromItsOldPlace() {
        let recorded = recorded()
        let world = recorded.world
        recorded.operation("move") { #expect(world.set(0, gfn: 5000, pages: 256, page: 0) == 0) }
        #expect(recorded.history.tree.visible.isEmpty)
        #expect(recorded.history.tablesFreed == 3)
        recorded.operation("new place") { #expect(world.access(0, 5004).frame == world.frame(4)) }
        recorded.operation("old place") { #expect(world.access(0, 20).result == 1) }
    }

    @Test(arguments: 0...2) func tablesThatCantBeHadLeaveNoTrace(pages: Int64) {
        let recorded = RecordedWorld()
        let world = recorded.world
        world.set(0, gfn: 16, pages: 256, page: 0)
        world.w.pointee.hw.allocations_left = pages
        let failed = recorded.operation("no memory") { #expect(world.access(0, 16).result == -ENOMEM) }
        #expect(failed == 0)
        let refused = recorded.operation("no memory for slots") {
            #expect(world.set(1, gfn: 5000, pages: 1, page: 0) == -ENOMEM)
        }
        #expect(refused == 0)
        world.w.pointee.hw.allocations_left = -1
        let done = recorded.operation("memory") { #expect(world.access(0, 16).result == 0) }
        #expect(done == 4)
    }

    /// All of it at random, and at each unlocking perhaps somebody else.
    @Test(arguments: 1...4) func operationsAtRandom(seed: Int) {
        var random = Random(seed: UInt64(seed))
        let recorded = RecordedWorld()
        let world = recorded.world
        world.w.pointee.near = seed % 2 == 0
        let states = [WORLD_LAZY, WORLD_PRESENT, WORLD_COW, WORLD_PROTECTED, WORLD_GONE]
        func something(_ slots: Bool) {
            switch random.below(slots ? 12 : 10) {
            case 0:
                world.host(
                    UInt64(random.below(500)), pages: UInt64(1 + random.below(20)), states[random.below(states.count)])
            case 1: world_move(world.w, UInt32(random.below(2)), UInt32(random.below(2)))
            case 10: world.delete(UInt32(random.below(4)))
            case 11:
                let slot = UInt32(random.below(4))
                world.set(slot, gfn: UInt64(random.below(5) * 1000), pages: 150, page: UInt64(slot) * 100)
            default:
                world.access(
                    UInt32(random.below(2)), UInt64(random.below(5) * 1000 + random.below(160)), write: random.oneIn(2))
            }
        }
        for slot in 0..<4 as Range<UInt32> {
            world.set(slot, gfn: UInt64(slot) * 1000, pages: 150, page: UInt64(slot) * 100)
        }
        for step in 0..<800 {
            let strike = random.oneIn(3) ? UInt32(random.below(3)) : nil
            if let strike {
                recorded.atUnlock { nth in
                    guard nth == strike else { return }
                    recorded.mark()
                    something(false)
                    recorded.mark()
                }
            }
            recorded.operation("seed \(seed), step \(step)") { something(true) }
            recorded.noScript()
            #expect(world.w.pointee.stale == 0)
        }
        #expect(recorded.history.states > 300 && recorded.history.tablesFreed > 10)
    }
}
