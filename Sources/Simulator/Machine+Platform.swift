// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CLikexHW
import Glibc
import Synchronization

/// What the core asks of its operating system: plat.h's hooks.
extension Machine {
    static func platformHooks() -> plat_ops {
        var ops = plat_ops()
        unsafe ops.user_read = { _, to, hva, length in
            guard let to = unsafe to, unsafe UserMemory.copy(from: hva, to: to, count: length) else { return -EFAULT }
            return 0
        }
        unsafe ops.user_write = { _, hva, from, length in
            guard let from = unsafe from, unsafe UserMemory.copy(from: from, to: hva, count: length) else {
                return -EFAULT
            }
            return 0
        }
        unsafe ops.user_cmpxchg = { _, hva, size, old, new in
            guard UserMemory.populate(hva, write: true), let at = unsafe UserMemory.pointer(hva) else { return -EFAULT }
            // One thread is in the guest at a time; whoever else writes guest memory is this program's own business.
            let now = unsafe size == 8 ? at.load(as: UInt64.self) : UInt64(at.load(as: UInt32.self))
            if now != old { return -EAGAIN }
            if size == 8 {
                unsafe at.storeBytes(of: new, as: UInt64.self)
            } else {
                unsafe at.storeBytes(of: UInt32(truncatingIfNeeded: new), as: UInt32.self)
            }
            return 0
        }
        // Memory of this process stays where it is: a page's frame is its address.
        unsafe ops.page_get = { _, hva, isWrite, wantsWritable, page in
            guard let page = unsafe page else { return -EFAULT }
            let isWritable = (isWrite || wantsWritable) && UserMemory.populate(hva, write: true)
            guard isWritable || !isWrite && UserMemory.populate(hva, write: false) else { return -EFAULT }
            unsafe page.pointee = plat_page(pfn: hva >> 12, writable: isWritable, ref: nil)
            return 0
        }
        unsafe ops.page_put = { _, _, _ in }
        unsafe ops.mmu_begin = { _ in 0 }
        unsafe ops.mmu_retry = { _, _, _, _ in false }
        unsafe ops.pages_near = { vm, hva, count, near in
            guard let vm = unsafe vm, let near = unsafe near else { return 1 }
            let pages = unsafe UnsafeMutableBufferPointer(start: near, count: Int(count))
            unsafe UserMemory.findPresent(from: hva, pages)
            guard unsafe Machine.of(vm.pointee.hw).hasLargePages else { return 1 }
            return unsafe pages.allSatisfy { $0 & PLAT_NEAR_WRITABLE != 0 } && UserMemory.isWholeLargePage(hva) ? 2 : 1
        }
        unsafe ops.slots_locked = { _ in true }
        unsafe ops.kick_guests = { vm in
            guard let vm = unsafe vm else { return }
            unsafe Machine.of(vm.pointee.hw).kick(vm)
        }
        unsafe ops.run_poll = { vcpu in
            guard let vcpu = unsafe vcpu, let run = unsafe vcpu.pointee.run else { return 0 }
            let machine = unsafe Machine.of(vcpu.pointee.hw)
            if machine.lock.isWanted { machine.loaded?.giveWay() }
            if machine.bus.ticks >= machine.deadline || machine.entriesLeft <= 0 { return -EINTR }
            return unsafe run.pointee.immediate_exit != 0 ? -EINTR : 0
        }
        unsafe ops.entry_begin = { vcpu in
            guard let vcpu = unsafe vcpu else { return false }
            return unsafe Machine.of(vcpu.pointee.hw).beginEntry(vcpu)
        }
        unsafe ops.entry_pending = { vcpu in
            guard let vcpu = unsafe vcpu else { return false }
            let machine = unsafe Machine.of(vcpu.pointee.hw)
            let act = machine.beforeEntry.take()
            act?()
            return machine.isWanted
        }
        unsafe ops.host_event = { _, _ in }
        unsafe ops.entry_end = { vcpu in
            guard let vcpu = unsafe vcpu else { return }
            unsafe Machine.of(vcpu.pointee.hw).running = nil
        }
        unsafe ops.cpu = { _ in 0 }
        // x87 and SSE.
        unsafe ops.guest_xcr0 = { _ in 3 }
        unsafe ops.tsc_khz = { _ in Model.kilohertz }
        unsafe ops.host_clocks = { hw, now in
            guard let now = unsafe now else { return }
            unsafe now.pointee = unsafe SimulatedVM.clocks(Machine.of(hw))
        }
        unsafe ops.warn = { hw, condition, file, line in
            let text = unsafe condition.map { unsafe String(cString: $0) } ?? "?"
            let place = unsafe file.map { unsafe String(cString: $0) } ?? "?"
            unsafe Machine.of(hw).warn("\(place):\(line): must never hold: \(text)")
        }
        return ops
    }

    /// Whether the guest that runs, or is about to, is wanted outside.
    var isWanted: Bool {
        if kicked.load(ordering: .acquiring) || bus.ticks >= deadline { return true }
        guard let run = unsafe running?.pointee.run else { return false }
        return unsafe run.pointee.immediate_exit != 0
    }

    private func beginEntry(_ vcpu: UnsafeMutablePointer<lkx_vcpu>) -> Bool {
        kicked.store(false, ordering: .releasing)
        notified.store(false, ordering: .releasing)
        entriesLeft -= 1
        unsafe running = vcpu
        loaded?.loadMSRs()
        return true
    }

    /// Waits until no vCPU of a VM is in guest mode.
    private func kick(_ vm: UnsafeMutablePointer<lkx_vm>) {
        guard let vcpu = unsafe running, unsafe vcpu.pointee.vm == vm else { return }
        while unsafe plat_load32(&vcpu.pointee.mode) == LKX_IN_GUEST.rawValue {
            kicked.store(true, ordering: .releasing)
            sched_yield()
        }
    }
}
