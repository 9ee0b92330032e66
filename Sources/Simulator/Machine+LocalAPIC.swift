// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CLikexHW
import Glibc
import Synchronization

/// What local APICs ask of their platform: timers by the bus's clock, and vCPUs that wait. kmod/linux/lapic.c's part.
///
/// The clock is virtual: where every vCPU waits, it goes on to the next timer at once.
extension Machine {
    /// How much virtual time passes while nobody does anything, a look around apart.
    private static let idleTicks: UInt64 = 100_000

    static func addLocalAPICHooks(_ ops: inout plat_ops) {
        unsafe ops.lapic_create = { _ in 0 }
        unsafe ops.lapic_destroy = { vcpu in
            guard let vcpu = unsafe vcpu else { return }
            unsafe Machine.of(vcpu.pointee.hw).setTimer(vcpu, 0)
        }
        unsafe ops.now = { hw in unsafe Machine.of(hw).bus.ticks }
        unsafe ops.timer_set = { vcpu, at in
            guard let vcpu = unsafe vcpu else { return }
            unsafe Machine.of(vcpu.pointee.hw).setTimer(vcpu, at)
        }
        unsafe ops.notify = { vcpu, isPosted in
            guard let vcpu = unsafe vcpu else { return }
            let machine = unsafe Machine.of(vcpu.pointee.hw)
            guard unsafe plat_load32(&vcpu.pointee.mode) == LKX_IN_GUEST.rawValue else { return }
            if isPosted {
                machine.notified.store(true, ordering: .releasing)
            } else {
                machine.kicked.store(true, ordering: .releasing)
            }
        }
        unsafe ops.block = { vcpu in
            guard let vcpu = unsafe vcpu else { return -EINTR }
            return unsafe Machine.of(vcpu.pointee.hw).block(vcpu)
        }
    }

    private func setTimer(_ vcpu: UnsafeMutablePointer<lkx_vcpu>, _ at: UInt64) {
        unsafe timers[vcpu] = at == 0 ? nil : at
        nextTimer = unsafe timers.values.min() ?? .max
    }

    /// When time has to stop for something.
    var nextEvent: UInt64 { min(nextTimer, meanwhile.first?.at ?? .max) }

    /// Those whose time has come.
    func fireTimers() {
        while let first = meanwhile.first, first.at <= bus.ticks {
            meanwhile.removeFirst()
            first.act()
        }
        while bus.ticks >= nextTimer, let vcpu = unsafe timers.min(by: { unsafe $0.value < $1.value })?.key {
            unsafe setTimer(vcpu, 0)
            unsafe lkx_lapic_timer_fired(vcpu)
        }
    }

    private func block(_ vcpu: UnsafeMutablePointer<lkx_vcpu>) -> Int32 {
        while unsafe plat_load8(&vcpu.pointee.events.requests) & UInt8(LKX_REQUEST_LAPIC) == 0 {
            if let run = unsafe vcpu.pointee.run, unsafe run.pointee.immediate_exit != 0 { return -EINTR }
            if bus.ticks >= deadline || entriesLeft <= 0 { return -EINTR }
            if lock.isWanted {
                loaded?.giveWay()
            } else if nextEvent != .max {
                bus.ticks = max(bus.ticks, nextEvent)
                fireTimers()
            } else {
                loaded?.giveWay(pausing: 100)
                bus.ticks &+= Self.idleTicks
            }
        }
        return 0
    }
}

extension SimulatedVM {
    /// A message to the first of its local APICs, from wherever the machine is. (KVM_SIGNAL_MSI would wait until no guest runs.)
    func interrupt(_ vector: UInt8) { _ = unsafe lkx_lapic_message(core, 0xFEE0_0000, UInt32(vector)) }

    /// VM exits of its first vCPU, and those for interrupts of the host among them.
    var exits: (all: UInt64, interrupts: UInt64) {
        guard let statistics = unsafe vcpus.first?.core.pointee.stats else { return (0, 0) }
        return (statistics.exits, statistics.irq_exits)
    }
}
