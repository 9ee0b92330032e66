// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// What the guest has touched the host is told of, once for each time that it asks.
@Suite struct AgeTests {
    /// Guest frames from 16 on, on the VMM's pages 0 to 63, all present.
    private func world(accessDirty: Bool = true, near: Bool = false) -> World {
        let world = World(accessDirty: accessDirty)
        world.w.pointee.near = near
        world.host(0, pages: 64, WORLD_PRESENT)
        #expect(world.set(0, gfn: 16, pages: 64, page: 0) == 0)
        return world
    }

    private func age(_ world: World, _ page: UInt64, pages: UInt64 = 1, _ what: lkx_age = LKX_AGE_TEST) -> Bool {
        let start = UInt64(WORLD_HVA) + page * 4096
        return lkx_mmu_age(world.vm, start, start + pages * 4096, what)
    }

    @Test func youngWhenTouchedAndOnceCleared() {
        let world = world()
        #expect(!age(world, 4))
        world.access(0, 20)
        for _ in 0..<2 { #expect(age(world, 4)) }
        #expect(!age(world, 3) && !age(world, 5) && age(world, 0, pages: 64))
        #expect(age(world, 4, LKX_AGE_CLEAR))
        #expect(!age(world, 4) && !age(world, 4, LKX_AGE_CLEAR))
        #expect(world.w.pointee.kicks == 0 && world.lookup(20).isPresent)
    }

    /// What a processor has cached it uses without a word: only a flush makes it look again.
    @Test func onlyAFlushShowsTheNextTouch() {
        let world = world()
        world.access(0, 20)
        #expect(age(world, 4, LKX_AGE_CLEAR))
        #expect(world.access(0, 20).faults == 0)
        #expect(!age(world, 4))
        #expect(world.access(1, 20).faults == 0)
        #expect(age(world, 4, LKX_AGE_CLEAR_FLUSH) && world.w.pointee.kicks == 1)
        #expect(!age(world, 4))
        #expect(world.access(0, 20).faults == 0)
        #expect(age(world, 4))
    }

    @Test func whatCameAlongIsOld() {
        let world = world(near: true)
        world.access(0, 20)
        #expect(world.lookup(21).isPresent && age(world, 4) && !age(world, 5))
        world.access(0, 21)
        #expect(age(world, 5))
    }

    @Test func aLargePageAsAWhole() {
        let world = World()
        world_host_collapse(world.w, 0, WORLD_PRESENT)
        #expect(world.set(0, gfn: 512, pages: 512, page: 0) == 0)
        world.access(0, 600)
        #expect(age(world, 7) && age(world, 511, LKX_AGE_CLEAR) && !age(world, 7))
    }

    @Test func inAnySlot() {
        let world = world()
        #expect(world.set(1, gfn: 1000, pages: 10, page: 30) == 0)
        world.access(0, 1003)
        #expect(age(world, 33, LKX_AGE_CLEAR) && !age(world, 33))
        world.access(1, 49)
        #expect(age(world, 33))
    }

    @Test func dirtyBitsStay() {
        let world = world()
        world.access(0, 20, write: true)
        #expect(world.lookup(20).value & 0x300 == 0x300)
        #expect(age(world, 4, LKX_AGE_CLEAR))
        #expect(world.lookup(20).value & 0x300 == 0x200)
    }

    @Test func withoutAccessedBitsByFaults() {
        let world = world(accessDirty: false)
        #expect(!age(world, 4))
        world.access(0, 20)
        #expect(age(world, 4) && world.lookup(20).isPresent)
        #expect(age(world, 4, LKX_AGE_CLEAR))
        #expect(!world.lookup(20).isPresent && world.w.pointee.kicks == 1)
        #expect(!age(world, 4) && !age(world, 4, LKX_AGE_CLEAR))
        #expect(world.access(0, 20).faults == 1)
        #expect(age(world, 4))
    }

    @Test func nobodyHasSlotsOrTables() {
        let world = World()
        #expect(!age(world, 0, pages: 1 << 30, LKX_AGE_CLEAR_FLUSH))
        lkx_ept_destroy(world.vm)
        #expect(!age(world, 0))
    }
}
