// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import TestRandom
import Testing

/// Everything at random: slots come, go and move, the host takes pages, vCPUs read, write and change CPUs, races strike. After each step an
/// access must reach what slots and host pages say, worked out here without the core.
@Suite struct GuestMemoryModelTests {
    private struct Slot {
        var gfn: UInt64, pages: UInt64, page: UInt64, flags: UInt32
    }
    private static let readOnly: UInt32 = 1 << 1  // KVM_MEM_READONLY
    private static let hostPages = 600

    private struct Model {
        var slots: [UInt32: Slot] = [:]

        func page(_ gfn: UInt64) -> (page: Int, readOnly: Bool)? {
            slots.values.first { gfn >= $0.gfn && gfn < $0.gfn + $0.pages }
                .map { (Int($0.page + gfn - $0.gfn), $0.flags & GuestMemoryModelTests.readOnly != 0) }
        }
    }

    @Test(arguments: [(1, true, true), (2, true, false), (3, false, true), (4, false, false), (5, true, true), (6, true, true)])
    func agreesWithTheModel(seed: Int, accessDirty: Bool, inveptSingle: Bool) {
        var random = Random(seed: UInt64(seed)), model = Model()
        let world = World(accessDirty: accessDirty, inveptSingle: inveptSingle)
        for _ in 0..<12_000 {
            switch random.below(40) {
            case 0: changeSlot(world, &model, &random)
            case 1: world_move(world.w, UInt32(random.below(2)), UInt32(random.below(2)))
            case 2, 3, 4:
                let first = random.below(Self.hostPages - 40)
                let states = [WORLD_LAZY, WORLD_PRESENT, WORLD_COW, WORLD_PROTECTED, WORLD_GONE]
                let count = random.oneIn(4) ? 1 + random.below(40) : 1
                world.host(UInt64(first), pages: UInt64(count), states[random.below(states.count)])
            default: access(world, model, &random)
            }
            if world.w.pointee.stale != 0 {
                Issue.record("a running guest reaches what the host has taken back")
                return
            }
        }
    }

    private func changeSlot(_ world: World, _ model: inout Model, _ random: inout Random) {
        let id = UInt32(random.below(8))
        if random.oneIn(3) {
            #expect(world.delete(id) == (model.slots[id] == nil ? -EINVAL : 0))
            model.slots[id] = nil
            return
        }
        var new =
            model.slots[id]
            ?? Slot(
                gfn: 0, pages: UInt64(1 + random.below(300)), page: UInt64(random.below(300)),
                flags: random.oneIn(3) ? Self.readOnly : 0)
        new.gfn = UInt64(random.below(7000))
        // One page in several slots is allowed: frames overlap nowhere, host pages may.
        let clash = model.slots.contains {
            $0.key != id && $0.value.gfn < new.gfn + new.pages && new.gfn < $0.value.gfn + $0.value.pages
        }
        #expect(world.set(id, flags: new.flags, gfn: new.gfn, pages: new.pages, page: new.page) == (clash ? -EEXIST : 0))
        if !clash { model.slots[id] = new }
    }

    private func access(_ world: World, _ model: Model, _ random: inout Random) {
        let vcpu = UInt32(random.below(2)), write = random.oneIn(2)
        // Mostly where something is.
        let slot = model.slots.keys.sorted().randomElement(using: &random).flatMap { model.slots[$0] }
        let gfn = slot.map { $0.gfn + UInt64(random.below(Int($0.pages))) } ?? UInt64(random.below(8000))
        if random.oneIn(10) { world.w.pointee.race = WORLD_RACE_REPLACED }
        let reached = world.access(vcpu, gfn, write: write)
        world.w.pointee.race = WORLD_RACE_NONE

        guard let (page, readOnly) = model.page(gfn), !(readOnly && write) else {
            #expect(reached.result == 1)
            return
        }
        let state = world.state(page)
        if state == WORLD_GONE || (state == WORLD_PROTECTED && write) {
            #expect(reached.result == -EFAULT)
        } else {
            #expect(reached.result == 0)
            #expect(reached.frame == world.frame(page))
            #expect(!write || state == WORLD_PRESENT)
        }
    }
}
