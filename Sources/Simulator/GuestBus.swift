// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXSim
import X86

/// What a guest's instructions are attached to: memory behind extended page tables, and nothing else.
///
/// The processor holds it while it runs, so it must not look at the processor.
final class GuestBus: Bus {
    let vmx: VMXProcessor
    /// Ticks of the machine's time-stamp counter: one an instruction, and some for each time it is read.
    var ticks: UInt64 = 1 << 32
    /// The VM exit that a refused access leads to.
    private(set) var pending: VMExit?

    private var pointer: EPTPointer?
    private var log: PageModificationLog?
    private var offset: UInt64 = 0
    private var multiplier: UInt64 = 1 << 48

    init(_ vmx: VMXProcessor) { self.vmx = vmx }

    /// VM entry: which tables, which clock.
    func enter(_ vmcs: VMCS) {
        pending = nil
        pointer = vmcs.has(Proc2Control.enableEpt) ? EPTPointer(rawValue: vmcs[.eptPointer]) : nil
        log = PageModificationLog(vmcs, vmx.memory)
        offset = vmcs.has(ProcControl.useTscOffsetting) ? vmcs[.tscOffset] : 0
        multiplier = vmcs.has(Proc2Control.useTscScaling) ? vmcs[.tscMultiplier] : 1 << 48
    }

    func takePending() -> VMExit? {
        defer { pending = nil }
        return pending
    }

    func page(_ request: PageRequest) -> PageAnswer {
        guard let pointer else {
            preconditionFailure("a simulated guest without EPT would reach this process's memory")
        }
        let access: EPTAccess =
            switch request.access {
            case .read: .read
            case .write: .write
            case .execute: .execute
            }
        let purpose: EPTPurpose = request.isTableWalk ? .tableWalk(request.linear) : .linear(request.linear)
        let outcome = vmx.caches.translate(
            request.physical, pointer, access, for: purpose, log: log, memory: vmx.memory)
        switch outcome {
        case .translated(let mapping):
            let physical = mapping.physical(request.physical) & ~0xFFF
            guard let host = unsafe UnsafeMutableRawPointer(bitPattern: UInt(physical)) else { return .device }
            var allowed: AllowedAccess = []
            if mapping.access.contains(.read) { allowed.insert(.read) }
            // The first write must come here, to set the dirty flag.
            if mapping.access.contains(.write), mapping.isDirty { allowed.insert(.write) }
            if mapping.access.contains(.execute) { allowed.insert(.execute) }
            return unsafe .memory(host: host, allowed: allowed)
        case .violation(let qualification):
            pending = VMExit(.eptViolation, qualification: qualification)
        case .misconfiguration:
            pending = VMExit(.eptMisconfiguration)
        case .logFull:
            pending = VMExit(.pmlFull)
        }
        pending?.guestPhysical = request.physical
        pending?.guestLinear = request.linear
        return .refused
    }

    // Nothing is attached: EPT maps memory only, and what is not mapped exits.
    func readDevice(_ physical: UInt64, size: Int) -> UInt64? { .max }
    func writeDevice(_ physical: UInt64, size: Int, value: UInt64) -> Bool { true }
    func readPort(_ port: UInt16, size: Int) -> UInt32? { .max }
    func writePort(_ port: UInt16, size: Int, value: UInt32) -> Bool { true }

    func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult { Model.cpuid(leaf: leaf, subleaf: subleaf) }
    func readMSR(_ index: UInt32) -> UInt64? { nil }
    func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool { false }

    /// The guest's counter. SDM vol. 3, 26.3 "Changes to instruction behavior": scaled, then offset.
    func timeStampCounter() -> UInt64 {
        let product = readTicks().multipliedFullWidth(by: multiplier)
        return (product.high << 16 | product.low >> 48) &+ offset
    }

    /// The machine's counter.
    func readTicks() -> UInt64 {
        ticks &+= 20
        return ticks
    }
}
