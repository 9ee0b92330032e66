// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import TestRandom
import Testing

@Suite struct EPTTests {
    private let read: UInt64 = 1, write: UInt64 = 2, execute: UInt64 = 4
    private let writeBackIgnoringPAT: UInt64 = 6 << 3 | 1 << 6

    @Test(arguments: [(true, 0x5e), (false, 0x1e)] as [(Bool, UInt64)]) func pointer(accessDirty: Bool, low: UInt64) {
        let world = World(accessDirty: accessDirty)
        #expect(world.vm.pointee.ept.eptp == UInt64(UInt(bitPattern: world.vm.pointee.ept.root)) | low)
        #expect(world.vm.pointee.ept.max_gfn == (1 << 28) - 1)
    }

    @Test func rootWithoutMemory() {
        let world = World()
        let hw = world.w.pointer(to: \.hw)!
        var vm = lkx_vm()
        vm.hw = hw
        hw.pointee.allocations_left = 0
        #expect(lkx_ept_init(&vm, true) == -ENOMEM)
        lkx_ept_destroy(&vm)
    }

    @Test func aMappingIsWriteBackAtLevelOne() {
        let world = World()
        #expect(!world_map(world.w, 0x12345, 0xabcde, read | execute))
        #expect(world.lookup(0x12345) == World.Entry(value: 0xabcde << 12 | writeBackIgnoringPAT | 5, level: 1))
        #expect(world.lookup(0x12346) == World.Entry(value: 0, level: 1))
        #expect(world.lookup(0x12345 + 512) == World.Entry(value: 0, level: 2))
        #expect(world.lookup(1 << 27).level == 4)
        // The highest frame of all, in tables of its own below the root.
        #expect(!world_map(world.w, (1 << 28) - 1, 1, read))
        #expect(world.lookup((1 << 28) - 1).frame == 1)
        #expect(world.vm.pointee.ept.tables == 7)
    }

    @Test func permissionsGrowInPlaceAndKeepTheProcessorsBits() {
        let world = World()
        #expect(!world_map(world.w, 7, 70, read | execute))
        let entry = lowestTable(world, 7) + 7
        entry.pointee |= 1 << 8  // accessed
        #expect(!world_map(world.w, 7, 70, read | write))
        #expect(entry.pointee == 70 << 12 | writeBackIgnoringPAT | 7 | 1 << 8)
        // A read fault that lost the race against a write fault must not take the permission back.
        #expect(!world_map(world.w, 7, 70, read))
        #expect(entry.pointee & 7 == 7)
        // Another frame: the old must be flushed.
        #expect(world_map(world.w, 7, 71, read))
        #expect(entry.pointee == 71 << 12 | writeBackIgnoringPAT | 1)
        #expect(lkx_tlb_owed(world.vm))
        lkx_tlb_flush(world.vm)
        #expect(!lkx_tlb_owed(world.vm))
    }

    private func lowestTable(_ world: World, _ gfn: UInt64) -> UnsafeMutablePointer<UInt64> {
        var table = world.vm.pointee.ept.root!
        for level in stride(from: 4, to: 1, by: -1) {
            table = UnsafeMutablePointer(bitPattern: UInt(table[Int(gfn >> (9 * UInt64(level - 1))) % 512] & ~0xfff))!
        }
        return table
    }

    @Test func zapOfNothing() {
        let world = World()
        #expect(!world_zap(world.w, 0, 1 << 36, false))
        #expect(!world_map(world.w, 5, 50, read))
        #expect(!world_zap(world.w, 5, 0, false))
        #expect(!world_zap(world.w, 6, ~0, false))  // its end wraps
        #expect(!world_zap(world.w, ~0, 1, false))
        #expect(world.lookup(5).frame == 50 && world.vm.pointee.ept.tables == 4)
        #expect(world.w.pointee.kicks == 0)
    }

    @Test func tablesGoWithTheirLastEntry() {
        let world = World()
        for gfn in [0, 511, 512, 1 << 18, 1 << 27] as [UInt64] { #expect(!world_map(world.w, gfn, gfn + 1, read)) }
        // Root; one level-1 table each for 0-511, 512-, 2^18-, 2^27-; level 2: three; level 3: two.
        #expect(world.vm.pointee.ept.tables == 10)
        #expect(world_zap(world.w, 0, 511, false))
        #expect(world.vm.pointee.ept.tables == 10)
        #expect(world_zap(world.w, 511, 1, false))
        #expect(world.vm.pointee.ept.tables == 9)
        #expect(world_zap(world.w, 512, 1, true))  // kept, empty
        #expect(world.vm.pointee.ept.tables == 9)
        #expect(world_zap(world.w, 0, 1 << 28, false))
        #expect(world.vm.pointee.ept.tables == 1)
        // The root's page, and what vCPU 0 keeps in its cache.
        #expect(world.w.pointee.hw.pages == 1 + UInt64(world.w.pointee.vcpu.0.ept_cache.count))
    }

    /// A processor may have cached the way to them: their pages aren't free before a flush.
    @Test func emptyTablesAreFlushedToo() {
        let world = World()
        #expect(!world_map(world.w, 5, 50, read))
        #expect(world_zap(world.w, 5, 1, true))
        #expect(world.vm.pointee.ept.tables == 4 && world.w.pointee.kicks == 1)
        #expect(world_zap(world.w, 5, 1, false))
        #expect(world.vm.pointee.ept.tables == 1 && world.w.pointee.kicks == 2)
    }

    /// The work comes in pieces, none skipped, none twice.
    @Test func aLargeZapStopsNowAndThen() {
        let world = World()
        for gfn in 0..<40_000 as Range<UInt64> { #expect(!world_map(world.w, gfn, gfn, read | write)) }
        var gfn: UInt64 = 100, pieces = 1
        while !lkx_ept_zap_some(world.vm, &gfn, 39_900, nil) {
            pieces += 1
            #expect(!world.lookup(gfn - 1).isPresent)
            #expect(world.lookup(gfn).isPresent)
        }
        #expect(pieces == 3)
        #expect(gfn == 39_900)
        #expect((0..<40_000).filter { world.lookup($0).isPresent } == Array(0..<100) + Array(39_900..<40_000))
        lkx_tlb_flush(world.vm)
    }

    @Test func cacheRunsOutOfMemory() {
        let world = World()
        let hw = world.w.pointer(to: \.hw)!
        var cache = lkx_ept_cache()
        hw.pointee.allocations_left = 2
        #expect(lkx_ept_cache_fill(hw, &cache) == -ENOMEM)
        #expect(cache.count == 2)
        hw.pointee.allocations_left = -1
        #expect(lkx_ept_cache_fill(hw, &cache) == 0)
        #expect(cache.count == 3)
        lkx_ept_cache_drain(hw, &cache)
        #expect(cache.count == 0)
    }

    /// Random maps and zaps against a dictionary. Frames are clustered, so that tables are shared, filled and emptied.
    @Test(arguments: 1...4) func operationsAgreeWithADictionary(seed: Int) {
        struct Mapping {
            var frame: UInt64, access: UInt64
        }
        var random = Random(seed: UInt64(seed)), model: [UInt64: Mapping] = [:]
        let world = World()
        let places: [UInt64] = [0, 500, 1024, (1 << 18) - 10, 1 << 18, (1 << 27) - 5, (1 << 28) - 300]
        func someGFN() -> UInt64 { min(places[random.below(places.count)] + UInt64(random.below(300)), (1 << 28) - 1) }

        for _ in 0..<4000 {
            let gfn = someGFN()
            switch random.below(10) {
            case 0:
                let pages = random.oneIn(4) ? UInt64(1) << UInt64(random.below(29)) : UInt64(random.below(400))
                let gone = model.keys.filter { $0 >= gfn && $0 - gfn < pages }
                // Where nothing is mapped, tables that an earlier zap left empty may still go.
                let took = world_zap(world.w, gfn, pages, random.oneIn(2))
                if !gone.isEmpty { #expect(took) }
                for key in gone { model[key] = nil }
            default:
                let frame = UInt64(random.below(3)) + gfn * 4
                let access = read | UInt64(random.below(4)) << 1
                let old = model[gfn]
                let replaced = world_map(world.w, gfn, frame, access)
                #expect(replaced == (old.map { $0.frame != frame } ?? false))
                if replaced { lkx_tlb_flush(world.vm) }
                model[gfn] = Mapping(frame: frame, access: old.map { $0.frame == frame ? $0.access | access : access } ?? access)
            }
            let probe = random.oneIn(2) ? gfn : someGFN(), entry = world.lookup(probe)
            #expect(entry.isPresent == (model[probe] != nil))
            if let expected = model[probe] {
                #expect(entry.frame == expected.frame && entry.access == expected.access && entry.level == 1)
            }
        }
        for (gfn, expected) in model { #expect(world.lookup(gfn).frame == expected.frame) }
        world_zap(world.w, 0, 1 << 28, false)
        #expect(world.vm.pointee.ept.tables == 1)
    }
}
