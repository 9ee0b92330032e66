// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// A VM's memory on a host that takes pages back and processors that cache translations (world.h).
final class World {
    let w: UnsafeMutablePointer<world>

    /// - Parameter pml: the processor has page-modification logging, and the core uses it.
    init(accessDirty: Bool = true, inveptSingle: Bool = true, recorded: Bool = false, pml: Bool = false) {
        w = world_create(accessDirty, inveptSingle, recorded)
        if pml { world_log_modified(w) }
    }

    /// Nothing may be left, held or warned of when a test ends; `stale` is each test's own to look at.
    deinit {
        if w.pointee.warnings != 0 { Issue.record("\(w.pointee.warnings) warnings of the core") }
        if w.pointee.references != 0 { Issue.record("\(w.pointee.references) references to pages are left") }
        let left = world_destroy(w)
        if left != 0 { Issue.record("\(left) pages and objects of the core are left") }
    }

    var vm: UnsafeMutablePointer<lkx_vm> { w.pointer(to: \.vm)! }

    /// KVM_SET_USER_MEMORY_REGION: 0 or -errno. `hva` counts from the VMM's first page.
    @discardableResult
    func set(_ slot: UInt32, flags: UInt32 = 0, gfn: UInt64, pages: UInt64, page: UInt64) -> Int32 {
        world_set_region(w, slot, flags, gfn * 4096, pages * 4096, UInt64(WORLD_HVA) + page * 4096)
    }

    @discardableResult
    func delete(_ slot: UInt32) -> Int32 {
        world_set_region(w, slot, 0, 0, 0, UInt64(WORLD_HVA))
    }

    func find(_ gfn: UInt64) -> lkx_memslot? {
        var slot = lkx_memslot()
        return lkx_memslot_find(vm, gfn, &slot) ? slot : nil
    }

    struct Access: Equatable {
        var result: Int32
        var frame: UInt64
        var faults: UInt32
    }

    @discardableResult
    func access(_ vcpu: UInt32 = 0, _ gfn: UInt64, write: Bool = false) -> Access {
        var frame: UInt64 = 0
        var faults: UInt32 = 0
        let result = world_access(w, vcpu, gfn, write, &frame, &faults)
        return Access(result: result, frame: result == 0 ? frame : 0, faults: faults)
    }

    /// The host's frame behind the VMM's page now.
    func frame(_ page: Int) -> UInt64 { w.pointee.page[page].pfn }
    func state(_ page: Int) -> world_page_state { w.pointee.page[page].state }

    func host(_ page: UInt64, pages count: UInt64 = 1, _ state: world_page_state) {
        world_host_set(w, page, count, state)
    }

    struct Entry: Equatable {
        var value: UInt64
        var level: Int32
        var isPresent: Bool { value & 7 != 0 }
        var frame: UInt64 { (value & 0x000f_ffff_ffff_f000) / 4096 }
        var access: UInt64 { value & 7 }
    }

    func lookup(_ gfn: UInt64) -> Entry {
        var level: Int32 = 0
        let value = world_lookup(w, gfn, &level)
        return Entry(value: value, level: level)
    }
}
