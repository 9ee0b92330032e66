// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import TestRandom
import Testing

@Suite struct MemslotTests {
    private static let hva = UInt64(WORLD_HVA)
    private static let readOnly: UInt32 = 1 << 1  // KVM_MEM_READONLY
    private static let logDirty: UInt32 = 1 << 0  // KVM_MEM_LOG_DIRTY_PAGES

    /// A region for slot 5 or another, and what KVM answers when slot 5 (read-only is slot 6) is there: see `world`.
    struct Case: CustomTestStringConvertible {
        var what: String
        var slot: UInt32 = 7
        var flags: UInt32 = 0
        var gpa: UInt64 = 0x100000
        var size: UInt64 = 0x10000
        var hva = MemslotTests.hva
        var answer = -EINVAL
        var testDescription: String { what }
    }

    /// Slot 5: [0x10000, 0x20000), slot 6, read-only: [0x30000, 0x40000).
    private func world() -> World {
        let world = World()
        #expect(world.set(5, gfn: 0x10, pages: 0x10, page: 0) == 0)
        #expect(world.set(6, flags: Self.readOnly, gfn: 0x30, pages: 0x10, page: 0x40) == 0)
        return world
    }

    @Test(arguments: [
        Case(what: "add", answer: 0),
        Case(what: "add, read-only", flags: readOnly, answer: 0),
        Case(what: "unknown flag", flags: 1 << 2),
        Case(what: "add, with a log", flags: logDirty, answer: 0),
        Case(what: "begin a log", slot: 5, flags: logDirty, gpa: 0x10000, answer: 0),
        Case(what: "begin a log and move", slot: 5, flags: logDirty, answer: 0),
        Case(what: "begin a log of a read-only slot", slot: 6, flags: readOnly | logDirty, gpa: 0x30000, hva: hva + 0x40000, answer: 0),
        Case(what: "made read-only with a log", slot: 5, flags: readOnly | logDirty, gpa: 0x10000),
        Case(what: "size not of pages", size: 0x10010),
        Case(what: "less than a page", size: 0xfff),
        Case(what: "gpa not of a page", gpa: 0x100800),
        Case(what: "hva not of a page", hva: hva + 1),
        Case(what: "hva in the kernel's half", hva: 0xffff_8880_0000_0000),
        Case(what: "hva runs into the kernel's half", hva: 0x7fff_ffff_e000),
        Case(what: "hva wraps", hva: 0xffff_ffff_ffff_f000),
        Case(what: "address space 1", slot: 1 << 16 | 7),
        Case(what: "last slot", slot: UInt32(LIKEX_MAX_MEMSLOTS) - 1, answer: 0),
        Case(what: "slot beyond the last", slot: UInt32(LIKEX_MAX_MEMSLOTS)),
        Case(what: "gpa wraps", gpa: 0xffff_ffff_ffff_f000),
        Case(what: "gpa wraps to 0 exactly", gpa: 0xffff_ffff_ffff_0000),
        Case(what: "ends with the physical addresses", gpa: (1 << 40) - 0x10000, answer: 0),
        Case(what: "ends beyond the physical addresses", gpa: (1 << 40) - 0xf000),
        Case(what: "delete what is not there", size: 0),
        Case(what: "delete", slot: 5, size: 0, answer: 0),
        Case(what: "delete with a bad hva", slot: 5, size: 0, hva: hva + 1),
        Case(what: "delete with a bad flag", slot: 5, flags: 1 << 5, size: 0),
        Case(what: "no change", slot: 5, gpa: 0x10000, answer: 0),
        Case(what: "move", slot: 5, answer: 0),
        Case(what: "move over its own place", slot: 5, gpa: 0x11000, answer: 0),
        Case(what: "move onto another", slot: 5, gpa: 0x21000, answer: -EEXIST),
        Case(what: "another size", slot: 5, gpa: 0x10000, size: 0x8000),
        Case(what: "another hva", slot: 5, gpa: 0x10000, hva: hva + 0x1000),
        Case(what: "made read-only", slot: 5, flags: readOnly, gpa: 0x10000),
        Case(what: "made writable", slot: 6, gpa: 0x30000, hva: hva + 0x40000),
        Case(what: "overlap at the end", gpa: 0x8000, answer: -EEXIST),
        Case(what: "overlap at the start", gpa: 0x1f000, answer: -EEXIST),
        Case(what: "overlap around", gpa: 0x2f000, size: 0x20000, answer: -EEXIST),
        Case(what: "overlap within", gpa: 0x31000, size: 0x1000, answer: -EEXIST),
        Case(what: "overlap comes before the width", gpa: 0x1f000, size: 1 << 40, hva: 0x1000, answer: -EEXIST),
        Case(what: "just before", gpa: 0x0, answer: 0),
        Case(what: "just between", gpa: 0x20000, answer: 0),
    ]) func answers(c: Case) {
        let world = world()
        #expect(world_set_region(world.w, c.slot, c.flags, c.gpa, c.size, c.hva) == c.answer)
        if c.answer != 0 {
            // Refused is not half done.
            #expect(world.find(0x10)?.id == 5 && world.find(0x1f)?.id == 5 && world.find(0x30)?.id == 6)
            #expect(world.vm.pointee.slots.pointee.count == 2 && world.find(0x100) == nil)
        }
    }

    @Test func aSlotsPagesFit31Bits() {
        let world = World()
        world.vm.pointee.ept.max_gfn = (1 << 36) - 1
        #expect(world_set_region(world.w, 0, 0, 1 << 45, 0x800_0000_0000, 0x1000) == -EINVAL)
        #expect(world_set_region(world.w, 0, 0, 1 << 45, 0x7ff_ffff_f000, 0x1000) == 0)
        #expect(world.find(1 << 33) != nil && world.find((1 << 33) + (1 << 31) - 1) == nil)
        // As large as it may be, and empty: gone in no time.
        #expect(world.delete(0) == 0)
    }

    @Test func aChangeWithoutMemoryChangesNothing() {
        let world = world()
        world.w.pointee.hw.allocations_left = 0
        #expect(world.set(1, gfn: 0x100, pages: 1, page: 0) == -ENOMEM)
        #expect(world.delete(5) == -ENOMEM)
        #expect(world.find(0x10)?.id == 5 && world.find(0x100) == nil)
        world.w.pointee.hw.allocations_left = -1
        #expect(world.delete(5) == 0)
        #expect(world.find(0x10) == nil)
    }

    @Test func aReaderKeepsTheTableItHas() {
        let world = world()
        plat_rcu_lock(world.w.pointer(to: \.hw)!)
        let table = world.vm.pointee.slots!
        #expect(world.delete(5) == 0 && world.delete(6) == 0)
        #expect(table.pointee.count == 2 && table.pointee.generation == 2)
        #expect(world.vm.pointee.slots.pointee.count == 0)
        plat_rcu_unlock(world.w.pointer(to: \.hw)!)
    }

    /// As many slots as there are, in random order, added, moved and deleted, against an array searched from end to end.
    @Test(arguments: 1...4) func lookupsAgreeWithAPlainArray(seed: Int) {
        struct Slot {
            var gfn: UInt64, pages: UInt64, page: UInt64, flags: UInt32
        }
        var random = Random(seed: UInt64(seed)), model: [UInt32: Slot] = [:]
        let world = World()
        for step in 0..<3000 {
            // Mostly filling first, mostly emptying later.
            let id = UInt32(random.below(Int(LIKEX_MAX_MEMSLOTS)))
            if random.oneIn(step < 2000 ? 6 : 2) {
                #expect(world.delete(id) == (model[id] == nil ? -EINVAL : 0))
                model[id] = nil
            } else {
                var new =
                    model[id]
                    ?? Slot(gfn: 0, pages: UInt64(1 + random.below(32)), page: 0, flags: random.oneIn(3) ? Self.readOnly : 0)
                new.gfn = UInt64(random.below(16000))
                if model[id] == nil { new.page = UInt64(random.below(1000)) }
                let clash = model.contains {
                    $0.key != id && $0.value.gfn < new.gfn + new.pages && new.gfn < $0.value.gfn + $0.value.pages
                }
                let answer = world.set(id, flags: new.flags, gfn: new.gfn, pages: new.pages, page: new.page)
                #expect(answer == (clash ? -EEXIST : 0))
                if !clash { model[id] = new }
            }
            for _ in 0..<8 {
                let gfn = UInt64(random.below(16100))
                let expected = model.first { gfn >= $0.value.gfn && gfn < $0.value.gfn + $0.value.pages }
                let found = world.find(gfn)
                #expect(found.map { UInt32($0.id) } == expected?.key)
                #expect(found?.hva == expected.map { UInt64(WORLD_HVA) + $0.value.page * 4096 })
                #expect(found?.flags == expected?.value.flags)
            }
        }
        #expect(world.vm.pointee.slots.pointee.count == UInt32(model.count))
    }

    /// Not a test of speed but of shape: 512 slots cost a handful of comparisons, so all frames are looked up quickly.
    @Test func allSlotsAtOnce() {
        let world = World()
        let count = UInt32(LIKEX_MAX_MEMSLOTS)
        for id in (0..<count).reversed() { #expect(world.set(id, gfn: UInt64(id) * 3, pages: 2, page: UInt64(id) * 2) == 0) }
        for gfn in 0..<UInt64(count) * 3 {
            #expect(world.find(gfn).map { UInt64($0.id) } == (gfn % 3 == 2 ? nil : gfn / 3))
        }
        #expect(world.find(~0) == nil)
    }
}
