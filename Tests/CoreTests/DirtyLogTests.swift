// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import TestRandom
import Testing

/// Every write is in a log, and what nobody wrote is in none: by write protection, and by page-modification logging (`pml`).
@Suite struct DirtyLogTests {
    private let logging: UInt32 = 1 << 0  // KVM_MEM_LOG_DIRTY_PAGES
    private let readOnly: UInt32 = 1 << 1  // KVM_MEM_READONLY
    private static let pages: UInt64 = 100

    /// Guest frames 16 to 115 on the VMM's pages 0 to 99, all present; slot 0.
    private func world(_ pml: Bool, manual: UInt64 = 0, flags: UInt32 = 1, near: Bool = true) -> World {
        let world = World(pml: pml)
        world.w.pointee.near = near
        world.host(0, pages: 200, WORLD_PRESENT)
        if manual != 0 { #expect(enable(world, manual) == 0) }
        #expect(world.set(0, flags: flags, gfn: 16, pages: Self.pages, page: 0) == 0)
        return world
    }

    private func enable(_ world: World, _ bits: UInt64, flags: UInt32 = 0) -> Int32 {
        var cap = kvm_enable_cap()
        cap.cap = 168  // KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2
        cap.flags = flags
        cap.args.0 = bits
        return lkx_vm_enable_cap(world.vm, &cap)
    }

    /// KVM_GET_DIRTY_LOG: the pages, or -errno.
    private func log(_ world: World, slot: UInt32 = 0, words: Int = 2) -> (error: Int32, pages: [UInt64]) {
        var bitmap = [UInt64](repeating: 0xdead, count: words)
        let error = bitmap.withUnsafeMutableBytes { buffer in
            var request = kvm_dirty_log()
            request.slot = slot
            request.padding2 = UInt64(UInt(bitPattern: buffer.baseAddress))
            return lkx_dirty_get(world.vm, &request)
        }
        if error != 0 { return (error, []) }
        return (0, (0..<UInt64(words) * 64).filter { bitmap[Int($0 / 64)] >> ($0 % 64) & 1 != 0 })
    }

    private func clear(_ world: World, _ bitmap: [UInt64], slot: UInt32 = 0, first: UInt64 = 0, pages: UInt32 = 100) -> Int32 {
        var bitmap = bitmap
        return bitmap.withUnsafeMutableBytes { buffer in
            var request = kvm_clear_dirty_log()
            request.slot = slot
            request.first_page = first
            request.num_pages = pages
            request.padding2 = UInt64(UInt(bitPattern: buffer.baseAddress))
            return lkx_dirty_clear(world.vm, &request)
        }
    }

    @Test(arguments: [false, true]) func writesAreInItOnceAndReadsNever(pml: Bool) {
        let world = world(pml)
        for gfn in 16..<116 as Range<UInt64> { world.access(0, gfn) }
        #expect(log(world).pages == [])
        world.access(0, 16, write: true)
        world.access(1, 115, write: true)
        world.access(0, 100, write: true)
        #expect(log(world).pages == [0, 84, 99])
        #expect(log(world).pages == [])
        // Reading goes on without a fault; writing takes one where it is the fault that shows.
        #expect(world.access(0, 115).faults == 0)
        #expect(world.access(0, 115, write: true).faults == (pml ? 0 : 1))
        #expect(log(world).pages == [99])
    }

    /// A processor has the page cached as writable when its bit is taken.
    @Test(arguments: [false, true]) func aPageThatWasReportedIsWritableNowhere(pml: Bool) {
        let world = world(pml)
        world.access(0, 20, write: true)
        world.access(1, 20, write: true)
        #expect(log(world).pages == [4])
        #expect(world.w.pointee.kicks > 0)
        #expect(world.access(0, 20, write: true).faults == (pml ? 0 : 1))
        #expect(log(world).pages == [4])
        #expect(world.access(1, 20, write: true).faults == (pml ? 0 : 1))
        #expect(log(world).pages == [4])
        // Nothing was written since: nothing is flushed. (What the processor logs is only known when it is outside.)
        let kicks = world.w.pointee.kicks
        #expect(log(world).pages == [])
        #expect(world.w.pointee.kicks == kicks + (pml ? 1 : 0))
    }

    @Test(arguments: [false, true]) func aMissedFlushWouldBeNoticed(pml: Bool) {
        let world = world(pml)
        world.access(0, 20, write: true)
        world.w.pointee.ignore_kicks = true
        #expect(log(world).pages == (pml ? [] : [4]))
        #expect(world.access(0, 20, write: true).faults == 0)
        #expect(log(world).pages == [])
    }

    @Test(arguments: [false, true]) func pagesNearbyAreMapped(pml: Bool) {
        let world = world(pml)
        world.access(0, 20, write: true)
        for gfn in 16..<32 as Range<UInt64> { #expect(world.lookup(gfn).access == (gfn == 20 || pml ? 7 : 5)) }
        #expect(log(world).pages == [4])
        #expect(world.lookup(20).access == (pml ? 7 : 5) && (!pml || world.lookup(20).value & 1 << 9 == 0))
    }

    @Test(arguments: [false, true]) func itBeginsAndEndsWhileTheSlotIsThere(pml: Bool) {
        let world = world(pml, flags: 0)
        world.access(0, 20, write: true)
        #expect(log(world).error == -ENOENT)
        #expect(world.set(0, flags: logging, gfn: 16, pages: Self.pages, page: 0) == 0)
        #expect(log(world).pages == [])
        // What was writable before it began is no more.
        #expect(world.access(0, 20, write: true).faults == 1)
        #expect(world.access(0, 21).result == 0)
        #expect(log(world).pages == [4])
        world.access(0, 22, write: true)
        #expect(world.set(0, flags: 0, gfn: 16, pages: Self.pages, page: 0) == 0)
        #expect(log(world).error == -ENOENT)
        #expect(world.access(0, 21).result == 0 && world.access(0, 22, write: true).faults == 0)
        // A new one knows nothing of the old.
        #expect(world.set(0, flags: logging, gfn: 16, pages: Self.pages, page: 0) == 0)
        #expect(log(world).pages == [])
        #expect(world.set(0, flags: readOnly, gfn: 16, pages: Self.pages, page: 0) == -EINVAL)
    }

    @Test(arguments: [false, true]) func aSlotThatMovesTakesItAlong(pml: Bool) {
        let world = world(pml)
        world.access(0, 20, write: true)
        #expect(world.set(0, flags: logging, gfn: 516, pages: Self.pages, page: 0) == 0)
        world.access(0, 530, write: true)
        #expect(log(world).pages == [4, 14])
        #expect(world.set(0, flags: 0, gfn: 16, pages: Self.pages, page: 0) == 0)
        #expect(log(world).error == -ENOENT)
    }

    @Test(arguments: [false, true]) func itGoesWithItsSlot(pml: Bool) {
        let world = world(pml)
        #expect(world.delete(0) == 0)
        #expect(log(world).error == -ENOENT)
        #expect(world.set(0, flags: logging | readOnly, gfn: 16, pages: Self.pages, page: 0) == 0)
        #expect(world.access(0, 20).result == 0 && world.access(0, 20, write: true).result == 1)
        #expect(log(world).pages == [])
    }

    @Test(arguments: [false, true]) func withoutMemoryThereIsNone(pml: Bool) {
        let world = world(pml, flags: 0)
        for left in 0..<2 as Range<Int64> {
            world.w.pointee.hw.allocations_left = left
            #expect(world.set(0, flags: logging, gfn: 16, pages: Self.pages, page: 0) == -ENOMEM)
        }
        world.w.pointee.hw.allocations_left = -1
        #expect(log(world).error == -ENOENT)
        #expect(world.set(0, flags: logging, gfn: 16, pages: Self.pages, page: 0) == 0)
        // Ending it, too, needs a new table of slots: it stays, with all that is in it.
        world.access(0, 20, write: true)
        world.w.pointee.hw.allocations_left = 0
        #expect(world.set(0, flags: 0, gfn: 16, pages: Self.pages, page: 0) == -ENOMEM)
        world.w.pointee.hw.allocations_left = -1
        #expect(log(world).pages == [4])
    }

    @Test(arguments: [false, true]) func theCoresOwnWritesAreInIt(pml: Bool) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 8 * 4096, alignment: 4096)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: 8 * 4096)
        let world = World(pml: pml)
        let hva = UInt64(UInt(bitPattern: memory))
        #expect(world_set_region(world.w, 0, logging, 0x10000, 4 * 4096, hva) == 0)
        #expect(world_set_region(world.w, 1, 0, 0x14000, 4 * 4096, hva + 4 * 4096) == 0)
        let bytes = [UInt8](repeating: 7, count: 4096)
        #expect(lkx_gpa_write(world.vm, 0x10ffe, bytes, 4) == 0)
        #expect(log(world, words: 1).pages == [0, 1])
        #expect(lkx_gpa_write(world.vm, 0x11000, bytes, 4096) == 0)
        #expect(log(world, words: 1).pages == [1])
        // Into the next slot, which has none.
        #expect(lkx_gpa_write(world.vm, 0x13fff, bytes, 2) == 0)
        #expect(log(world, words: 1).pages == [3])
        #expect(lkx_gpa_cmpxchg(world.vm, 0x12008, 8, 1, 2) == -EAGAIN)
        #expect(log(world, words: 1).pages == [])
        #expect(lkx_gpa_cmpxchg(world.vm, 0x12008, 8, 0, 2) == 0)
        #expect(log(world, words: 1).pages == [2])
        var back = bytes
        #expect(lkx_gpa_read(world.vm, 0x12000, &back, 4096) == 0)
        #expect(log(world, words: 1).pages == [])
        #expect(log(world, slot: 1, words: 1).error == -ENOENT)
    }

    // MARK: by hand

    @Test(arguments: [false, true]) func readByHandItStays(pml: Bool) {
        let world = world(pml, manual: 1)
        world.access(0, 20, write: true)
        world.access(0, 84, write: true)
        #expect(log(world).pages == [4, 68])
        #expect(log(world).pages == [4, 68])
        #expect(clear(world, [1 << 4 | 1 << 5, 0]) == 0)
        #expect(log(world).pages == [68])
        #expect(world.access(0, 84, write: true).faults == 0 && world.access(0, 20, write: true).faults == (pml ? 0 : 1))
        #expect(log(world).pages == [4, 68])
        #expect(clear(world, [~0], first: 64, pages: 36) == 0)
        #expect(log(world).pages == [4])
        #expect(clear(world, [~0], pages: 64) == 0)
        #expect(log(world).pages == [])
        #expect(world.access(1, 20, write: true).faults == (pml ? 0 : 1))
        #expect(log(world).pages == [4])
    }

    @Test(arguments: [false, true]) func allPagesAtFirst(pml: Bool) {
        let world = world(pml, manual: 3)
        #expect(log(world).pages == Array(0..<100))
        world.access(0, 20, write: true)
        #expect(clear(world, [~0, ~0]) == 0)
        // Clearing doesn't read what the processor has logged meanwhile.
        #expect(log(world).pages == (pml ? [4] : []))
        #expect(clear(world, [~0, ~0]) == 0 && log(world).pages == [])
        #expect(world.set(1, flags: logging, gfn: 1024, pages: 64, page: 100) == 0)
        #expect(log(world, slot: 1, words: 1).pages == Array(0..<64))
    }

    @Test(arguments: [false, true]) func whatClearingRefuses(pml: Bool) {
        let world = world(pml)
        let all = [UInt64](repeating: ~0, count: 2)
        #expect(clear(world, all, slot: 600) == -EINVAL && clear(world, all, slot: 7) == -ENOENT)
        #expect(clear(world, all, first: 1) == -EINVAL && clear(world, all, slot: 7, first: 1) == -EINVAL)
        #expect(clear(world, all, pages: 99) == -EINVAL && clear(world, all, pages: 101) == -EINVAL)
        #expect(clear(world, all, first: 64, pages: 64) == -EINVAL && clear(world, all, first: 128, pages: 0) == -EINVAL)
        #expect(clear(world, all, first: 1 << 63, pages: 64) == -EINVAL)
        #expect(clear(world, all, pages: 0) == 0 && clear(world, all, first: 64, pages: 0) == 0)
        #expect(clear(world, all) == 0)
        #expect(log(world, slot: 600).error == -EINVAL && log(world, slot: 7).error == -ENOENT)
        #expect(log(world, slot: 0x10000).error == -EINVAL)
    }

    /// The bitmap isn't there: nothing is taken by what could not be read.
    @Test(arguments: [false, true]) func aBitmapThatIsNotThere(pml: Bool) {
        let world = world(pml), byHand = self.world(pml, manual: 1)
        var get = kvm_dirty_log(), clear = kvm_clear_dirty_log()
        get.padding2 = 64
        clear.padding2 = 64
        clear.num_pages = 100
        world.access(0, 20, write: true)
        #expect(lkx_dirty_clear(world.vm, &clear) == -EFAULT)
        #expect(log(world).pages == [4])
        // What was taken for it is lost, as KVM loses it; but it is writable no more, so that what comes later is not.
        world.access(0, 21, write: true)
        #expect(lkx_dirty_get(world.vm, &get) == -EFAULT)
        #expect(world.access(0, 21, write: true).faults == (pml ? 0 : 1))
        #expect(log(world).pages == [5])
        byHand.access(0, 20, write: true)
        #expect(lkx_dirty_get(byHand.vm, &get) == -EFAULT)
        #expect(log(byHand).pages == [4])
    }

    /// More words than are taken at once.
    @Test(arguments: [false, true]) func aLargeSlot(pml: Bool) {
        let world = World(pml: pml)
        world.host(0, pages: 2048, WORLD_PRESENT)
        // Behind the VMM's pages is nothing; the guest's frames that are written are before.
        #expect(world.set(0, flags: logging, gfn: 0, pages: 20_000, page: 0) == 0)
        for gfn in [0, 63, 64, 2047] as [UInt64] { #expect(world.access(0, gfn, write: true).result == 0) }
        plat_spin_lock(world.w.pointer(to: \.hw)!, world.vm.pointer(to: \.ept)!.pointer(to: \.lock)!)
        for gfn in [4095, 4096, 19_999] as [UInt64] { lkx_dirty_set(world.vm, gfn) }
        plat_spin_unlock(world.w.pointer(to: \.hw)!, world.vm.pointer(to: \.ept)!.pointer(to: \.lock)!)
        #expect(log(world, words: 313).pages == [0, 63, 64, 2047, 4095, 4096, 19_999])
        #expect(log(world, words: 313).pages == [])
    }

    @Test(arguments: [false, true]) func whatCanBeEnabled(pml: Bool) {
        let world = world(pml)
        #expect([0, 1, 3].allSatisfy { enable(world, $0) == 0 })
        #expect([2, 4, 5, ~0].allSatisfy { enable(world, $0) == -EINVAL })
        #expect(enable(world, 1, flags: 1) == -EINVAL)
    }

    // MARK: all of it by chance

    /// Whatever the host and the guest do meanwhile: a write since the last reading is in the log, and only that, but for a page that was mapped for a write
    /// that then found it taken away.
    @Test(arguments: 1...4, [false, true]) func byChance(seed: Int, pml: Bool) {
        var random = Random(seed: UInt64(seed)), written: Set<UInt64> = []
        let world = world(pml)
        for _ in 0..<4000 {
            let gfn = 16 + UInt64(random.below(Int(Self.pages))), vcpu = UInt32(random.below(2))
            switch random.below(10) {
            case 0: world.host(gfn - 16, random.oneIn(2) ? WORLD_PRESENT : WORLD_COW)
            case 1:
                #expect(Set(log(world).pages) == written)
                written = []
            case 2: world_move(world.w, vcpu, UInt32(random.below(2)))
            case 3...5:
                #expect(world.access(vcpu, gfn, write: true).result == 0)
                written.insert(gfn - 16)
            default: #expect(world.access(vcpu, gfn).result == 0)
            }
        }
        #expect(world.w.pointee.stale == 0)
    }
}
