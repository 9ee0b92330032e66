// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// The host lacks memory and takes page tables back; the guest notices faults and nothing else.
@Suite struct ReclaimTests {
    /// Guest frames 0 to 2047 on the VMM's pages, in four tables of level 1, each touched by both vCPUs.
    private func world() -> World {
        let world = World()
        #expect(world.set(0, gfn: 0, pages: 2048, page: 0) == 0)
        for gfn in stride(from: 0, to: 2048, by: 64) as StrideTo<UInt64> {
            for vcpu in 0..<2 as Range<UInt32> { world.access(vcpu, gfn, write: true) }
        }
        #expect(world.vm.pointee.ept.tables == 7)
        return world
    }

    @Test func allTablesButTheRootGo() {
        let world = world()
        #expect(world.w.pointee.hw.tables == 6)
        #expect(lkx_ept_reclaim(world.vm) == 6)
        #expect(world.vm.pointee.ept.tables == 1 && world.w.pointee.hw.tables == 0)
        #expect(lkx_ept_reclaim(world.vm) == 0)
        // No processor walks them any more: they are free for others.
        #expect(world.w.pointee.stale == 0 && world.w.pointee.kicks == 1)
        for gfn in stride(from: 0, to: 2048, by: 64) as StrideTo<UInt64> {
            #expect(world.access(1, gfn, write: true) == World.Access(result: 0, frame: world.frame(Int(gfn)), faults: 1))
        }
        #expect(world.vm.pointee.ept.tables == 7 && world.w.pointee.hw.tables == 6)
    }

    /// What a vCPU still has cached leads into tables that are free: it is made to leave first.
    @Test func aMissedKickWouldBeNoticed() {
        let world = world()
        world.w.pointee.ignore_kicks = true
        _ = lkx_ept_reclaim(world.vm)
        #expect(world.access(0, 64, write: true).faults == 0)
    }

    @Test func theLogKeepsWhatWasWritten() {
        let world = World()
        #expect(world.set(0, flags: 1, gfn: 0, pages: 64, page: 0) == 0)
        world.access(0, 5, write: true)
        #expect(lkx_ept_reclaim(world.vm) == 3)
        world.access(0, 6)
        var word: UInt64 = 0
        withUnsafeMutablePointer(to: &word) { bitmap in
            var request = kvm_dirty_log()
            request.padding2 = UInt64(UInt(bitPattern: bitmap))
            #expect(lkx_dirty_get(world.vm, &request) == 0)
        }
        #expect(word == 1 << 5)
    }

    /// One call does some hundred microseconds' work; the next goes on, and begins anew behind the last table.
    @Test func aLargeTreeGoesPieceByPiece() {
        let world = World()
        #expect(world.set(0, gfn: 0, pages: 1 << 18, page: 0) == 0)
        for table in 0..<100 as Range<UInt64> { _ = world_map(world.w, table << 9, table, 7) }
        let first = lkx_ept_reclaim(world.vm)
        #expect((1..<50).contains(first))
        // What comes meanwhile, before the place where it goes on, is for the next round.
        _ = world_map(world.w, 0, 1, 7)
        var freed = first
        for _ in 0..<8 { freed += lkx_ept_reclaim(world.vm) }
        #expect(world.vm.pointee.ept.tables == 1)
        #expect(freed == 100 + 1 + 2)
        #expect(world.w.pointee.hw.tables == 0)
    }

    @Test func nothingOfATreeThatIsGone() {
        let world = world()
        lkx_ept_destroy(world.vm)
        #expect(world.w.pointee.hw.tables == 0)
        #expect(lkx_ept_reclaim(world.vm) == 0)
    }
}
