// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// KVM_PRE_FAULT_MEMORY: what the guest will touch is mapped before it does.
@Suite struct PreFaultTests {
    /// Guest frames from 16 on, on the VMM's pages 0 to 63, which nobody has touched.
    private func world() -> World {
        let world = World()
        #expect(world.set(0, gfn: 16, pages: 64, page: 0) == 0)
        return world
    }

    private func preFault(_ world: World, _ range: inout kvm_pre_fault_memory) -> Int32 {
        lkx_pre_fault(world.w.pointer(to: \.vcpu.0)!, &range)
    }

    private func range(_ gfn: UInt64, _ pages: UInt64) -> kvm_pre_fault_memory {
        var range = kvm_pre_fault_memory()
        range.gpa = gfn * 4096
        range.size = pages * 4096
        return range
    }

    @Test func allOfIt() {
        let world = world()
        var all = range(16, 64)
        #expect(preFault(world, &all) == 0 && all.size == 0 && all.gpa == 80 * 4096)
        for gfn in 16..<80 as Range<UInt64> {
            #expect(world.access(1, gfn, write: true) == World.Access(result: 0, frame: world.frame(Int(gfn) - 16), faults: 0))
        }
        #expect(world.w.pointee.kicks == 0)
        var again = range(20, 3)
        #expect(preFault(world, &again) == 0 && again.size == 0)
    }

    @Test func asFarAsThereIsASlot() {
        let world = world()
        var end = range(78, 5)
        #expect(preFault(world, &end) == 0 && end.gpa == 80 * 4096 && end.size == 3 * 4096)
        #expect(preFault(world, &end) == -ENOENT && end.gpa == 80 * 4096 && end.size == 3 * 4096)
    }

    @Test func asFarAsTheVMMHasMemory() {
        let world = world()
        world.host(3, WORLD_GONE)
        var some = range(16, 64)
        #expect(preFault(world, &some) == 0 && some.gpa == 19 * 4096)
        #expect(preFault(world, &some) == -EFAULT && some.size == 61 * 4096)
    }

    @Test func largePagesAtOnce() {
        let world = World()
        world_host_collapse(world.w, 0, WORLD_PRESENT)
        #expect(world.set(0, gfn: 512, pages: 1024, page: 0) == 0)
        var some = range(600, 500)
        #expect(preFault(world, &some) == 0 && some.size == 0 && some.gpa == 1100 * 4096)
        #expect(world.lookup(512).level == 2 && world.lookup(1024).isPresent && !world.lookup(1100).isPresent)
    }

    @Test func aSignalEndsIt() {
        let world = world()
        world.w.pointee.signal = true
        var some = range(16, 1)
        #expect(preFault(world, &some) == -EINTR && some.size == 4096)
    }

    @Test func noMemoryForTables() {
        let world = world()
        world.w.pointee.hw.allocations_left = 0
        var some = range(16, 1)
        #expect(preFault(world, &some) == -ENOMEM)
    }

    @Test func thePageChangesMeanwhile() {
        let world = world()
        world.w.pointee.race = WORLD_RACE_REPLACED
        var some = range(16, 1)
        #expect(preFault(world, &some) == 0 && world.lookup(16).frame == world.frame(0))
    }

    @Test(arguments: [
        (16 << 12, 0, 0), (16 << 12 + 1, 4096, 0), (16 << 12, 4097, 0), (16 << 12, 4096, 1), (~0xfff, 8192, 0), (0, ~0, 0),
    ] as [(UInt64, UInt64, UInt64)])
    func whatCanNotBe(gpa: UInt64, size: UInt64, flags: UInt64) {
        let world = world()
        var wrong = kvm_pre_fault_memory()
        (wrong.gpa, wrong.size, wrong.flags) = (gpa, size, flags)
        #expect(preFault(world, &wrong) == -EINVAL)
        #expect(wrong.gpa == gpa && wrong.size == size && !world.lookup(16).isPresent)
    }
}
