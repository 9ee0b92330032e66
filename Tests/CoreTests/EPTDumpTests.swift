// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import TestRandom
import Testing

/// The tree read out record by record.
@Suite struct EPTDumpTests {
    private struct Record: Equatable {
        var level: UInt32
        var gfn: UInt64
        var count: UInt32
        var bits: UInt64
        var leaf: Bool
    }

    private let leafBits: UInt64 = 6 << 3 | 1 << 6

    private func next(_ world: World, _ cursor: inout lkx_ept_cursor) -> Record? {
        var record = lkx_ept_record()
        guard lkx_ept_next(world.vm, &cursor, &record) else { return nil }
        return Record(
            level: record.level, gfn: record.gpa >> 12, count: record.count, bits: record.bits, leaf: record.leaf)
    }

    private func all(_ world: World) -> [Record] {
        var cursor = lkx_ept_first()
        var records: [Record] = []
        while let record = next(world, &cursor) { records.append(record) }
        #expect(next(world, &cursor) == nil, "an end stays an end")
        return records
    }

    private func table(_ level: UInt32, _ gfn: UInt64) -> Record {
        Record(level: level, gfn: gfn, count: 1, bits: 7, leaf: false)
    }

    private func leaf(_ gfn: UInt64, _ count: UInt32, _ access: UInt64) -> Record {
        Record(level: 1, gfn: gfn, count: count, bits: access | leafBits, leaf: true)
    }

    @Test func nothing() {
        #expect(all(World()).isEmpty)
    }

    @Test func runsEndWithPermissionsHolesAndTables() {
        let world = World()
        for gfn: UInt64 in [3, 4, 5, 7, 510, 511, 512, 513, 1 << 18, (1 << 28) - 1] {
            world_map(world.w, gfn, gfn + 100, gfn == 5 ? 5 : 7)
        }
        #expect(
            all(world) == [
                table(4, 0), table(3, 0), table(2, 0), leaf(3, 2, 7), leaf(5, 1, 5), leaf(7, 1, 7), leaf(510, 2, 7),
                table(2, 512), leaf(512, 2, 7), table(3, 1 << 18), table(2, 1 << 18), leaf(1 << 18, 1, 7),
                table(4, 1 << 27), table(3, (1 << 28) - (1 << 18)), table(2, (1 << 28) - 512),
                leaf((1 << 28) - 1, 1, 7),
            ])
    }

    @Test func noFrameOfTheHostsIsTold() {
        let world = World()
        world_map(world.w, 0, 0xabcde, 7)
        #expect(all(world).allSatisfy { $0.bits & 0x000f_ffff_ffff_f000 == 0 })
    }

    @Test func theProcessorsBitsTellLeavesApart() {
        let world = World()
        for gfn: UInt64 in 0..<4 { world_map(world.w, gfn, gfn + 1, 7) }
        entry(world, 1).pointee |= 1 << 8
        entry(world, 2).pointee |= 1 << 8
        #expect(all(world).dropFirst(3).map(\.count) == [1, 2, 1])
        #expect(all(world)[4].bits == 7 | leafBits | 1 << 8)
    }

    private func entry(_ world: World, _ gfn: UInt64, level: UInt64 = 1) -> UnsafeMutablePointer<UInt64> {
        var table = world.vm.pointee.ept.root!
        for level in stride(from: 4, to: level, by: -1) {
            table = UnsafeMutablePointer(bitPattern: UInt(table[Int(gfn >> (9 * (level - 1))) % 512] & ~0xfff))!
        }
        return table + Int(gfn >> (9 * (level - 1))) % 512
    }

    @Test func largeLeaves() {
        let world = World()
        world_map(world.w, 0, 1, 7)
        let directory = entry(world, 0, level: 2)
        for index in 1..<4 { directory[index] = 0x8000_0000 + UInt64(index) << 21 | 7 | leafBits | 1 << 7 }
        #expect(all(world).last == Record(level: 2, gfn: 512, count: 3, bits: 7 | leafBits | 1 << 7, leaf: true))
        for index in 1..<4 { directory[index] = 0 }
    }

    @Test func aTableThatGoesUnderTheReader() {
        let world = World()
        for gfn: UInt64 in [0, 5, 512, 1 << 18] { world_map(world.w, gfn, gfn + 1, 7) }
        var cursor = lkx_ept_first()
        // Table, table, table, frame 0.
        for _ in 0..<4 { #expect(next(world, &cursor) != nil) }
        world_zap(world.w, 0, 1 << 18, false)
        #expect(next(world, &cursor) == table(3, 1 << 18))
        // Behind the reader nothing is looked at again, before it everything is.
        world_map(world.w, 1, 1, 7)
        world_map(world.w, (1 << 18) + 9, 1, 7)
        #expect(next(world, &cursor) == table(2, 1 << 18))
        #expect(next(world, &cursor) == leaf(1 << 18, 1, 7))
        #expect(next(world, &cursor) == leaf((1 << 18) + 9, 1, 7))
        #expect(next(world, &cursor) == nil)
    }

    @Test func aTreeThatIsGone() {
        let world = World()
        world_map(world.w, 0, 1, 7)
        var cursor = lkx_ept_first()
        #expect(next(world, &cursor) != nil)
        lkx_ept_destroy(world.vm)
        #expect(next(world, &cursor) == nil)
    }

    @Test(arguments: [1, 2] as [UInt64]) func randomTreesAgainstLookups(seed: UInt64) {
        var random = Random(seed: seed)
        let world = World()
        var mapped: [UInt64: UInt64] = [:]
        for _ in 0..<2000 {
            let gfn =
                UInt64(random.below(4)) << 27 & (1 << 28 - 1) | UInt64(random.below(3)) << 18
                | UInt64(random.below(1200))
            let access = 1 | UInt64(random.below(4)) << 1
            if mapped[gfn] == nil {
                world_map(world.w, gfn, gfn + 1, access)
                mapped[gfn] = access
            }
        }
        var seen: [UInt64: UInt64] = [:]
        var last: UInt64 = 0
        for record in all(world) {
            #expect(record.gfn >= last)
            guard record.leaf else { continue }
            last = record.gfn + UInt64(record.count)
            for gfn in record.gfn..<last { seen[gfn] = record.bits & 7 }
        }
        #expect(seen == mapped)
        var records = all(world)[...]
        // Each run is as long as it can be within its table.
        while let record = records.popFirst(), let following = records.first {
            if record.leaf, following.leaf, record.gfn + UInt64(record.count) == following.gfn {
                #expect(record.bits != following.bits || following.gfn % 512 == 0)
            }
        }
    }
}
