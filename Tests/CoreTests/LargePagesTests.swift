// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import TestRandom
import Testing

/// Large pages of the host are large pages of the guest where they fit, and only as long as the host has them.
@Suite struct LargePagesTests {
    private let readOnly: UInt32 = 1 << 1  // KVM_MEM_READONLY
    private let fetch: UInt64 = 4

    /// Guest frames from 512 on, on the VMM's pages from 0 on; of these 0 to 511 are one large page.
    private func world(flags: UInt32 = 0, pages: UInt64 = 1024, state: world_page_state = WORLD_PRESENT) -> World {
        let world = World()
        world_host_collapse(world.w, 0, state)
        #expect(world.set(0, flags: flags, gfn: 512, pages: pages, page: 0) == 0)
        return world
    }

    @Test func oneFaultForAllOfIt() {
        let world = world()
        #expect(world.access(0, 549).faults == 1)
        let entry = world.lookup(549)
        #expect(entry.level == 2 && entry.access == 7 && entry.value & 0xf8 == 0xf0 && entry.frame == world.frame(0))
        for gfn in 512..<1024 as Range<UInt64> {
            let access = world.access(1, gfn, write: true)
            #expect(access == World.Access(result: 0, frame: world.frame(Int(gfn) - 512), faults: 0))
        }
        #expect(world.vm.pointee.ept.tables == 3 && world.w.pointee.kicks == 0)
        #expect(world.access(0, 1024).faults == 1 && world.lookup(1024).level == 1)
    }

    @Test(arguments: [
        (512, 512, 0), (512, 511, 1), (513, 1000, 0), (513, 1000, 1), (520, 1000, 8), (512, 1024, 512),
    ] as [(UInt64, UInt64, UInt64)])
    func onlyWhereItFits(gfn: UInt64, pages: UInt64, page: UInt64) {
        let world = World()
        for first in [0, 512, 1024] as [UInt64] { world_host_collapse(world.w, first, WORLD_PRESENT) }
        #expect(world.set(0, gfn: gfn, pages: pages, page: page) == 0)
        // All of one in the slot, at the same place among the guest's 2 MiB.
        for at in [gfn, gfn + pages / 2, gfn + pages - 1] {
            let first = at & ~511
            let fits = first >= gfn && first + 512 <= gfn + pages && (at - gfn + page) % 512 == at % 512
            #expect(world.access(0, at).frame == world.frame(Int(at - gfn + page)))
            #expect(world.lookup(at).level == (fits ? 2 : 1), "frame \(at)")
        }
    }

    @Test(arguments: [(1 << 18, 3, 3), ((1 << 18) - 1, 3, 2), (1 << 18, 2, 2), (511, 3, 1)] as [(UInt64, UInt8, Int32)])
    func ofOneGibibyteOrLessWhereThatFits(pages: UInt64, processor: UInt8, level: Int32) {
        let world = World()
        world_host_collapse(world.w, 0, WORLD_PRESENT)
        world.w.pointee.large_level = 3
        world.w.pointee.caps.ept_level = processor
        #expect(world.set(0, gfn: 1 << 18, pages: pages, page: 0) == 0)
        var slot = world.find(1 << 18 + 37)!
        #expect(lkx_tdp_map(world.w.pointer(to: \.vcpu.0)!, (1 << 18 + 37) << 12, 1, &slot) == 0)
        #expect(world.lookup(1 << 18 + 37).level == level)
        #expect(world.lookup(1 << 18 + 37).frame == (level == 1 ? world.frame(37) : 0))
        world.host(1, WORLD_GONE)
        #expect(world.lookup(1 << 18 + 37).isPresent == (level == 1))
    }

    @Test func whatIsLoggedIsSmall() {
        let world = world(flags: 1)  // KVM_MEM_LOG_DIRTY_PAGES
        for write in [false, true] {
            world.access(0, 549, write: write)
            #expect(world.lookup(549).level == 1 && world.lookup(549).access == (write ? 7 : 5))
        }
        #expect(world.set(0, gfn: 512, pages: 1024, page: 0) == 0)
        world.access(0, 549)
        #expect(world.lookup(549).level == 2)
        #expect(world.set(0, flags: 1, gfn: 512, pages: 1024, page: 0) == 0)
        world.access(0, 550)
        #expect(world.lookup(550).level == 1 && !world.lookup(549).isPresent && world.w.pointee.stale == 0)
    }

    @Test func onlyWhereTheProcessorHasThem() {
        let world = world()
        world.w.pointee.caps.ept_level = 1
        #expect(world.access(0, 549).frame == world.frame(37))
        #expect(world.lookup(549).level == 1)
    }

    @Test func whereAPartIsTakenAllIsGone() {
        let world = world()
        for vcpu in 0..<2 as Range<UInt32> { world.access(vcpu, 549, write: true) }
        world.host(5, WORLD_GONE)
        #expect(world.w.pointee.stale == 0 && world.w.pointee.kicks == 1)
        #expect(!world.lookup(549).isPresent)
        #expect(world.access(1, 517).result == -EFAULT)
        for vcpu in 0..<2 as Range<UInt32> { #expect(world.access(vcpu, 549).frame == world.frame(37)) }
        #expect(world.lookup(549).level == 1)
    }

    @Test func readOnlySlotsAndSharedPages() {
        let readOnly = world(flags: readOnly)
        readOnly.access(0, 549)
        #expect(readOnly.lookup(549).level == 2 && readOnly.lookup(549).access == 5)
        #expect(readOnly.access(0, 550, write: true).result == 1)

        let shared = world(state: WORLD_COW)
        shared.access(0, 549)
        #expect(shared.lookup(549).level == 2 && shared.lookup(549).access == 5)
        let old = shared.frame(37)
        #expect(shared.access(0, 549, write: true).frame == shared.frame(37))
        #expect(shared.frame(37) != old && shared.lookup(549).level == 1 && shared.w.pointee.stale == 0)
        #expect(shared.access(1, 550).frame == shared.frame(38))
    }

    @Test func permissionsGrowInPlace() {
        let world = World()
        #expect(!world_map_large(world.w, 1024, 512, 2, 1))
        #expect(!world_map_large(world.w, 1024, 512, 2, 3))
        #expect(world.lookup(1030) == World.Entry(value: 512 << 12 | 0xf3, level: 2))
        #expect(world_map_large(world.w, 1024, 1024, 2, 1))
        lkx_tlb_flush(world.vm)
        #expect(world.lookup(1030).value == 1024 << 12 | 0xf1)
    }

    @Test func ofOneGibibyte() {
        let world = World(), gib: UInt64 = 1 << 18
        #expect(!world_map_large(world.w, gib, 2 * gib, 3, 5))
        #expect(world.lookup(gib + 12345) == World.Entry(value: 2 * gib << 12 | 0xf5, level: 3))
        #expect(world.vm.pointee.ept.tables == 2)
        // Smaller ones in its place: it goes, all of it.
        #expect(world_map_large(world.w, gib + 512, 512, 2, 3))
        lkx_tlb_flush(world.vm)
        #expect(world.lookup(gib + 600).level == 2 && !world.lookup(gib).isPresent)
        // And back again, where nothing is any more.
        #expect(world_zap(world.w, gib + 700, 1, true))
        #expect(world_map_large(world.w, gib, 2 * gib, 3, 5))
        #expect(world.lookup(gib).level == 3 && world.vm.pointee.ept.tables == 2)
        #expect(world_zap(world.w, gib + 700, 1, false))
        #expect(!world.lookup(gib).isPresent && world.vm.pointee.ept.tables == 1)
    }

    // MARK: on the way from one to the other

    @Test func anEmptyTableMakesRoomAndIsFreedWhenNobodyWalksIt() {
        let recorded = RecordedWorld()
        let world = recorded.world
        recorded.operation("small") {
            #expect(world.set(0, gfn: 512, pages: 513, page: 0) == 0)
            world.access(0, 1024)
            for gfn in 512..<520 as Range<UInt64> { for vcpu in 0..<2 as Range<UInt32> { world.access(vcpu, gfn) } }
        }
        recorded.operation("collapse") { world_host_collapse(world.w, 0, WORLD_PRESENT) }
        #expect(recorded.history.tree.visible.count == 1 && world.vm.pointee.ept.tables == 5)
        recorded.operation("run") { for vcpu in 0..<2 as Range<UInt32> { _ = world.access(vcpu, 3000) } }
        let states = recorded.operation("fault") { #expect(world.access(0, 513).frame == world.frame(1)) }
        #expect(states == 3)
        #expect(world.lookup(513).level == 2 && world.vm.pointee.ept.tables == 4 && recorded.history.tablesFreed == 1)
        #expect(recorded.history.tree.visible.count == 513)
        #expect(world.access(1, 600).frame == world.frame(88))
    }

    @Test func smallPagesMakeRoom() {
        let world = world()
        #expect(!world_map(world.w, 600, world.frame(88), 1))
        #expect(world.access(0, 549).frame == world.frame(37))
        #expect(world.lookup(600) == World.Entry(value: world.lookup(549).value, level: 2))
        #expect(world.w.pointee.kicks == 1 && !lkx_tlb_owed(world.vm))
    }

    @Test func whoeverComesSecondChangesNothing() {
        let world = world()
        world.access(0, 549)
        #expect(!world_map_large(world.w, 512, world.frame(0), 2, 7))
        #expect(world.lookup(549).level == 2 && world.w.pointee.kicks == 0)
    }

    @Test func aLargePageGivesWayToASmallOne() {
        let recorded = RecordedWorld()
        let world = recorded.world
        world.w.pointee.touch = TableTree.processorBits
        recorded.operation("large") { #expect(!world_map_large(world.w, 512, 1024, 2, 1)) }
        let states = recorded.operation("small") {
            #expect(world_map(world.w, 600, 0x777, 3))
            lkx_tlb_flush(world.vm)
        }
        #expect(states == 3)
        #expect(recorded.history.tree.visible == [600: History.Translation(frame: 0x777, access: 3)])
    }

    @Test func noMemoryForTheTable() {
        let world = world()
        world.access(0, 549)
        world.w.pointee.hw.allocations_left = 0
        #expect(world.access(0, 1024).result == -ENOMEM)
        #expect(world.access(0, 549).faults == 0)
    }

    // MARK: where fetching from large pages is dangerous

    private func fault(_ world: World, _ gfn: UInt64, _ qualification: UInt64) {
        var slot = world.find(gfn)!
        #expect(lkx_tdp_map(world.w.pointer(to: \.vcpu.0)!, gfn * 4096, qualification, &slot) == 0)
    }

    @Test func whatIsExecutedIsSmall() {
        let world = world()
        world.w.pointee.near = true
        world.w.pointee.caps.large_no_execute = true
        world.access(0, 549)
        #expect(world.lookup(549).level == 2 && world.lookup(549).access == 3)
        let kicks = world.w.pointee.kicks
        fault(world, 600, fetch)
        #expect(world.lookup(600) == World.Entry(value: world.frame(88) << 12 | 0x77, level: 1))
        #expect(world.w.pointee.kicks == kicks + 1)
        // They don't take turns.
        #expect(!world.lookup(549).isPresent)
        world.access(0, 549)
        #expect(world.lookup(549).level == 1 && world.lookup(549).access == 7 && world.lookup(600).access == 7)
    }

    // MARK: races

    @Test func aPartReplacedMeanwhile() {
        let world = world()
        world.w.pointee.near_race = WORLD_RACE_REPLACED
        world.w.pointee.near_race_page = 100
        #expect(world.access(0, 549).faults == 2)
        #expect(world.lookup(549).level == 1 && !world.lookup(612).isPresent)
        #expect(world.access(0, 612).frame == world.frame(100))
    }

    @Test func anInvalidationOfAPart() {
        let world = world()
        world.w.pointee.near_race = WORLD_RACE_BEGUN
        world.w.pointee.near_race_page = 100
        #expect(world.access(0, 549).result == -EAGAIN)
        #expect(!world.lookup(549).isPresent)
        world_invalidate_end(world.w)
        #expect(world.access(0, 549).faults == 1)
        #expect(world.lookup(549).level == 2)
    }

    @Test func anInvalidationBesides() {
        let world = world()
        world.w.pointee.near_race = WORLD_RACE_BEGUN
        world.w.pointee.near_race_page = 512
        #expect(world.access(0, 549).faults == 1)
        #expect(world.lookup(549).level == 2)
        world_invalidate_end(world.w)
    }

    @Test(arguments: 1...3) func operationsAtRandom(seed: Int) {
        var random = Random(seed: UInt64(seed))
        let recorded = RecordedWorld()
        let world = recorded.world
        let states = [WORLD_LAZY, WORLD_PRESENT, WORLD_COW, WORLD_PROTECTED, WORLD_GONE]
        world.w.pointee.near = seed != 1
        world.w.pointee.caps.large_no_execute = seed == 3
        var large = 0
        func something(_ slots: Bool) {
            let page = UInt64(random.below(1536))
            switch random.below(slots ? 14 : 12) {
            case 0: world.host(page, pages: UInt64(1 + random.below(30)), states[random.below(states.count)])
            case 1, 2: world_host_collapse(world.w, page & ~511, states[1 + random.below(3)])
            case 3: world_move(world.w, UInt32(random.below(2)), UInt32(random.below(2)))
            case 12: world.delete(UInt32(random.below(2)))
            case 13: setSlot(UInt32(random.below(2)))
            default: world.access(UInt32(random.below(2)), 512 + page, write: random.oneIn(2))
            }
        }
        func setSlot(_ slot: UInt32) {
            _ = slot == 0
                ? world.set(0, gfn: 512, pages: 1030, page: 0) : world.set(1, gfn: 1542, pages: 506, page: 1030)
        }
        for slot in 0..<2 as Range<UInt32> { setSlot(slot) }
        for step in 0..<250 {
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
            for (gfn, now) in recorded.history.tree.visible where now.frame != world.frame(Int(gfn) - 512) {
                Issue.record("seed \(seed), step \(step): frame \(gfn) is on \(now.frame)")
            }
            if world.lookup(600).level == 2 && world.lookup(600).isPresent { large += 1 }
        }
        #expect(large > 10)
    }
}
