// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// Faults, the host's taking back, and flushes together: never does a guest reach a page that is no longer the VMM's.
@Suite struct TDPTests {
    private let readOnly: UInt32 = 1 << 1  // KVM_MEM_READONLY

    /// One slot: guest frames 16 to 271 on the VMM's pages 0 to 255.
    private func world(flags: UInt32 = 0) -> World {
        let world = World()
        #expect(world.set(0, flags: flags, gfn: 16, pages: 256, page: 0) == 0)
        return world
    }

    @Test func aPageIsMappedOnceAndWritableAtOnce() {
        let world = world()
        #expect(world.access(0, 20) == World.Access(result: 0, frame: world.frame(4), faults: 1))
        #expect(world.access(0, 20, write: true).faults == 0)
        #expect(world.access(1, 20, write: true).faults == 0)
        #expect(world.w.pointee.dirtied == 1)
        // No flush for any of it: one INVEPT for each vCPU's first run here.
        #expect(world.w.pointee.kicks == 0 && world.w.pointee.invepts == 2 && world.w.pointee.invvpids == 2)
        #expect(world.access(0, 15).result == 1 && world.access(0, 272).result == 1)
    }

    @Test func withoutSingleContextInveptTheGlobalOneIsUsed() {
        let world = World(inveptSingle: false)
        world.set(0, gfn: 16, pages: 16, page: 0)
        world.access(0, 16)
        #expect(world.w.pointee.invept_global == 1)
    }

    @Test func aReadOnlySlotIsReadAndNeverWritten() {
        let world = world(flags: readOnly)
        #expect(world.access(0, 16, write: true).result == 1)
        #expect(world.access(0, 16).result == 0)
        #expect(world.lookup(16).access == 5)
        #expect(world.access(0, 16, write: true) == World.Access(result: 1, frame: 0, faults: 0))
        #expect(world.w.pointee.dirtied == 0)
    }

    @Test func copyOnWriteIsKeptByReadsAndBrokenByWrites() {
        let world = world()
        world.host(0, WORLD_COW)
        let shared = world.frame(0)
        #expect(world.access(0, 16).frame == shared)
        #expect(world.lookup(16).access == 5)
        // The first try finds that its own write replaced the page.
        #expect(world.access(0, 16, write: true) == World.Access(result: 0, frame: world.frame(0), faults: 2))
        #expect(world.frame(0) != shared && world.lookup(16).access == 7)
        // Another vCPU that still had the shared page has it no more.
        #expect(world.w.pointee.stale == 0)
    }

    @Test func theVMMsOwnProtectionHolds() {
        let world = world()
        world.host(0, WORLD_PROTECTED)
        #expect(world.access(0, 16).result == 0)
        #expect(world.access(0, 16, write: true).result == -EFAULT)
        world.host(0, WORLD_PRESENT)
        #expect(world.access(0, 16, write: true).frame == world.frame(0))
    }

    @Test(arguments: [WORLD_LAZY, WORLD_GONE, WORLD_PRESENT, WORLD_COW, WORLD_PROTECTED])
    func whatTheHostTakesIsGone(state: world_page_state) {
        let world = world()
        for gfn in 16..<32 as Range<UInt64> {
            world.access(0, gfn, write: true)
            world.access(1, gfn)
        }
        world.host(2, pages: 3, state)
        #expect(world.w.pointee.stale == 0)
        for gfn in 16..<32 as Range<UInt64> { #expect(world.lookup(gfn).isPresent == !(18..<21).contains(gfn)) }
        let after = world.access(1, 18)
        #expect(after.result == (state == WORLD_GONE ? -EFAULT : 0))
        if after.result == 0 { #expect(after.frame == world.frame(2)) }
        #expect(world.access(1, 21).faults == 0)
    }

    @Test func takingWhatNoGuestHasCostsNoFlush() {
        let world = world()
        world.access(0, 16)
        world.host(300, pages: 20, WORLD_PRESENT)  // no slot's
        world.host(5, WORLD_PRESENT)  // a slot's, not mapped
        #expect(world.w.pointee.kicks == 0)
        world.host(0, WORLD_PRESENT)
        #expect(world.w.pointee.kicks == 1)
    }

    @Test func onePageInTwoSlots() {
        let world = world()
        #expect(world.set(1, gfn: 1000, pages: 4, page: 0) == 0)
        #expect(world.access(0, 16).frame == world.access(0, 1000).frame)
        world.host(0, WORLD_PRESENT)
        #expect(!world.lookup(16).isPresent && !world.lookup(1000).isPresent)
        #expect(world.w.pointee.stale == 0)
    }

    // MARK: races

    @Test func aPageReplacedUnderTheFaultIsNotMapped() {
        let world = world()
        world.w.pointee.race = WORLD_RACE_REPLACED
        #expect(world.access(0, 16) == World.Access(result: 0, frame: world.frame(0), faults: 2))
    }

    @Test func nothingIsMappedWhileTheHostIsAtIt() {
        let world = world()
        world.w.pointee.race = WORLD_RACE_BEGUN
        #expect(world.access(0, 16).result == -EAGAIN)
        #expect(!world.lookup(16).isPresent)
        // Its neighbour is none of the host's business.
        #expect(world.access(0, 17) == World.Access(result: 0, frame: world.frame(1), faults: 1))
        world_invalidate_end(world.w)
        #expect(world.access(0, 16).result == 0)
    }

    @Test(arguments: [0, 16] as [UInt64]) func aSlotDeletedOrMovedUnderTheFaultIsNotMapped(pages: UInt64) {
        let world = World()
        world.set(3, gfn: 16, pages: 16, page: 0)
        world.w.pointee.race = WORLD_RACE_SLOT
        world.w.pointee.race_region = kvm_userspace_memory_region(
            slot: 3, flags: 0, guest_phys_addr: 100 * 4096, memory_size: pages * 4096, userspace_addr: UInt64(WORLD_HVA))
        #expect(world.access(0, 16).result == 1)
        #expect(!world.lookup(16).isPresent)
        #expect(world.access(0, 100).result == (pages == 0 ? 1 : 0))
    }

    /// Deleting has taken the entry out and is about to flush; the host, which takes the page meanwhile, must not return before.
    @Test func whoFindsNothingToTakeWaitsForTheFlushThatIsOwed() {
        let world = world()
        world.access(0, 16, write: true)
        world.w.pointee.replace_at_kick = 1 + 0
        #expect(world.delete(0) == 0)
        #expect(world.w.pointee.stale == 0)
        #expect(world.w.pointee.kicks == 2)
    }

    @Test func aVCPUThatComesBackToACPUHasNothingOfBefore() {
        let world = world()
        world.access(0, 16)
        world_move(world.w, 0, 1)
        world.host(0, WORLD_PRESENT)  // CPU 0 still has it cached, and no guest of ours
        world.access(0, 17)
        world_move(world.w, 0, 0)
        #expect(world.access(0, 16).frame == world.frame(0))
    }

    @Test func aDeletedSlotsTablesGo() {
        let world = World()
        world.set(0, gfn: 0, pages: 1024, page: 0)
        let tables = world.vm.pointee.ept.tables
        for gfn in stride(from: 0, to: 1024, by: 100) as StrideTo<UInt64> { world.access(0, gfn) }
        #expect(world.vm.pointee.ept.tables == tables + 4)
        #expect(world.delete(0) == 0)
        #expect(world.vm.pointee.ept.tables == tables)
        #expect(world.access(0, 0).result == 1)
    }

    @Test func noMemoryForTables() {
        let world = world()
        world.w.pointee.hw.allocations_left = 0
        #expect(world.access(0, 16).result == -ENOMEM)
        world.w.pointee.hw.allocations_left = -1
        #expect(world.access(0, 16).result == 0)
    }

    // MARK: that the tests above would notice

    @Test func aMissedRetryIsNoticed() {
        let world = world()
        world.w.pointee.ignore_retry = true
        world.w.pointee.race = WORLD_RACE_REPLACED
        #expect(world.access(0, 16).frame != world.frame(0))
    }

    @Test func aMissedKickIsNoticed() {
        let world = world()
        world.access(0, 16)
        world.w.pointee.ignore_kicks = true
        world.host(0, WORLD_PRESENT)
        #expect(world.w.pointee.stale > 0)
        #expect(world.access(0, 16).frame != world.frame(0))
    }

    @Test func aMissedInveptIsNoticed() {
        let world = world()
        world.access(0, 16)
        world.w.pointee.ignore_invept = true
        world.host(0, WORLD_PRESENT)
        #expect(world.access(0, 16).frame != world.frame(0))
    }
}
