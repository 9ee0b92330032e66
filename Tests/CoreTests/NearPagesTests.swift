// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// Pages that the host has present are mapped with the one near them that faulted, and nobody is the worse for it.
@Suite struct NearPagesTests {
    private let readOnly: UInt32 = 1 << 1  // KVM_MEM_READONLY

    /// Guest frames from 16 on, on the VMM's pages 0 to 63, all present.
    private func world(flags: UInt32 = 0, gfn: UInt64 = 16, pages: UInt64 = 64) -> World {
        let world = World()
        world.w.pointee.near = true
        world.host(0, pages: 64, WORLD_PRESENT)
        #expect(world.set(0, flags: flags, gfn: gfn, pages: pages, page: 0) == 0)
        return world
    }

    private func mapped(_ world: World, _ gfns: Range<UInt64> = 0..<1024) -> [UInt64] {
        gfns.filter { world.lookup($0).isPresent }
    }

    @Test func sixteenAlignedPagesComeTogether() {
        let world = world()
        #expect(world.access(0, 37).faults == 1)
        #expect(mapped(world) == Array(32..<48))
        for gfn in 32..<48 as Range<UInt64> {
            #expect(world.access(1, gfn, write: true) == World.Access(result: 0, frame: world.frame(Int(gfn) - 16), faults: 0))
        }
        // A load took its page writable, so that one counts as written; what the others are the host knew before.
        #expect(world.w.pointee.dirtied == 1 && world.w.pointee.kicks == 0)
    }

    @Test func nothingBeyondTheSlot() {
        let world = world(gfn: 21, pages: 6)
        // Neighbours on both sides, in slots of their own.
        #expect(world.set(1, gfn: 16, pages: 5, page: 20) == 0)
        #expect(world.set(2, gfn: 27, pages: 5, page: 40) == 0)
        world.access(0, 23)
        #expect(mapped(world) == Array(21..<27))
        for gfn in 21..<27 as Range<UInt64> { #expect(world.lookup(gfn).frame == world.frame(Int(gfn) - 21)) }
        world.access(0, 27)
        #expect(mapped(world) == Array(21..<32))
    }

    @Test func theLastFramesOfATableOfLevelOne() {
        let world = world(gfn: 500, pages: 64)
        world.access(0, 511)
        #expect(mapped(world) == Array(500..<512))
        world.access(0, 512)
        #expect(mapped(world) == Array(500..<528))
    }

    @Test func onlyWhatTheHostHas() {
        let world = world()
        world.host(1, WORLD_LAZY)
        world.host(2, WORLD_GONE)
        world.host(3, WORLD_COW)
        world.host(4, WORLD_PROTECTED)
        #expect(world.access(0, 16, write: true).result == 0)
        #expect(mapped(world, 16..<22) == [16, 19, 20, 21])
        #expect([16, 19, 20, 21].map { world.lookup($0).access } == [7, 5, 5, 7])
        #expect(world.state(1) == WORLD_LAZY && world.state(3) == WORLD_COW)
        #expect(world.w.pointee.references == 0)
        // Writing there is a fault, as ever.
        #expect(world.access(0, 19, write: true) == World.Access(result: 0, frame: world.frame(3), faults: 2))
        #expect(world.access(0, 20, write: true).result == -EFAULT)
    }

    @Test func aReadOnlySlotStaysSo() {
        let world = world(flags: readOnly)
        world.access(0, 20)
        #expect(mapped(world) == Array(16..<32))
        #expect((16..<32).allSatisfy { world.lookup($0).access == 5 })
        #expect(world.access(0, 21, write: true).result == 1)
        #expect(world.w.pointee.dirtied == 0)
    }

    @Test func whatIsMappedStaysAsItIs() {
        let world = world()
        #expect(!world_map(world.w, 21, 0x777, 1))
        world.access(0, 20)
        #expect(world.lookup(21).frame == 0x777 && world.lookup(21).access == 1)
        #expect(world.lookup(22).frame == world.frame(6))
        #expect(!lkx_tlb_owed(world.vm))
    }

    @Test func whatTheHostTakesIsGoneHoweverItCame() {
        let world = world()
        for vcpu in 0..<2 as Range<UInt32> { world.access(vcpu, 20) }
        world.access(1, 25)
        world.host(9, WORLD_GONE)
        #expect(world.w.pointee.stale == 0)
        #expect(mapped(world) == Array(16..<25) + Array(26..<32))
        #expect(world.access(1, 25).result == -EFAULT)
    }

    // MARK: races

    @Test func aPageReplacedAsItWasLookedAt() {
        let world = world()
        world.w.pointee.near_race = WORLD_RACE_REPLACED
        world.w.pointee.near_race_page = 9
        #expect(world.access(0, 20).faults == 2)
        #expect(world.lookup(25).frame == world.frame(9))
    }

    /// The host is at a neighbour: the page itself is mapped, none that it brought is.
    @Test func anInvalidationNearby() {
        let world = world()
        world.w.pointee.near_race = WORLD_RACE_BEGUN
        world.w.pointee.near_race_page = 9
        #expect(world.access(0, 20).faults == 1)
        #expect(mapped(world) == [20])
        world_invalidate_end(world.w)
        world.access(0, 21)
        #expect(mapped(world) == Array(16..<32))
    }

    @Test func anInvalidationElsewhere() {
        let world = world()
        world.w.pointee.near_race = WORLD_RACE_BEGUN
        world.w.pointee.near_race_page = 16
        #expect(world.access(0, 20).faults == 1)
        #expect(mapped(world) == Array(16..<32))
        world_invalidate_end(world.w)
    }

    @Test func aSlotDeletedMeanwhile() {
        let world = world()
        world.w.pointee.near_race = WORLD_RACE_SLOT
        world.w.pointee.race_region = kvm_userspace_memory_region(
            slot: 0, flags: 0, guest_phys_addr: 0, memory_size: 0, userspace_addr: UInt64(WORLD_HVA))
        #expect(world.access(0, 20).result == 1)
        #expect(mapped(world).isEmpty)
    }

    /// Each comes with one write, of an entry that was empty.
    @Test func eachStateOnTheWayIsRight() {
        let recorded = RecordedWorld()
        let world = recorded.world
        world.w.pointee.near = true
        recorded.operation("set up") {
            world.host(0, pages: 64, WORLD_PRESENT)
            #expect(world.set(0, gfn: 16, pages: 64, page: 0) == 0)
        }
        #expect(recorded.operation("first") { world.access(0, 20) } == 3 + 16)
        #expect(recorded.operation("none") { world.access(0, 31) } == 0)
        recorded.operation("take") { world.host(3, pages: 4, WORLD_LAZY) }
        #expect(recorded.operation("again") { world.access(1, 20) } == 1)
        #expect(recorded.history.tree.visible.count == 13)
    }
}
