// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CLikexHW
import KVM

/// The core's trace points, kept in memory.
struct MachineTrace {
    /// More would be some hundred megabytes.
    static let limit = 2_000_000

    private(set) var events: [KernelEvent] = []
    /// Events that there was no room for.
    private(set) var lost = 0

    mutating func add(_ event: KernelEvent) {
        if events.count < Self.limit { events.append(event) } else { lost += 1 }
    }
}

extension Machine {
    /// From here on every trace point of the core is kept. Before the first VM is made.
    func beginTrace() {
        unsafe platformOps.pointee.trace_entry = { vcpu in
            guard let vcpu = unsafe vcpu else { return }
            unsafe Machine.trace(vcpu, .entry(rip: unsafe lkx_rip(vcpu)))
        }
        unsafe platformOps.pointee.trace_exit = { vcpu, exit in
            guard let vcpu = unsafe vcpu, let exit = unsafe exit?.pointee else { return }
            unsafe Machine.trace(
                vcpu,
                .exit(
                    reason: exit.reason, qualification: exit.qualification, rip: unsafe lkx_rip(vcpu),
                    interruption: exit.interruption_info, vectoring: exit.idt_vectoring_info))
        }
        unsafe platformOps.pointee.trace_inject = { vcpu, info, error in
            guard let vcpu = unsafe vcpu else { return }
            unsafe Machine.trace(vcpu, .inject(info: info, error: error))
        }
        unsafe platformOps.pointee.trace_fault = { vcpu, gpa, qualification, _ in
            guard let vcpu = unsafe vcpu else { return }
            unsafe Machine.trace(vcpu, .fault(GuestAddress(gpa), qualification: qualification))
        }
        unsafe platformOps.pointee.trace_mmio = { vcpu, gpa, count, isWrite, data in
            guard let vcpu = unsafe vcpu else { return }
            unsafe Machine.trace(vcpu, .mmio(GuestAddress(gpa), count: Int(count), isWrite: isWrite, data: data))
        }
        unsafe platformOps.pointee.trace_pio = { vcpu, port, size, count, isInput in
            guard let vcpu = unsafe vcpu else { return }
            unsafe Machine.trace(vcpu, .port(port, size: Int(size), count: Int(count), isInput: isInput))
        }
    }

    private static func trace(_ vcpu: UnsafeMutablePointer<lkx_vcpu>, _ what: KernelEvent.What) {
        let event = KernelEvent(time: Host.ticks, vcpu: unsafe vcpu.pointee.id, what: what)
        unsafe Machine.of(vcpu.pointee.hw).trace.add(event)
    }
}
