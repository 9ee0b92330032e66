// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Boot
import CKVMABI
import CVMMSys
import Emulation
import Glibc
import KVM

/// One of a machine's processors: a vCPU and the thread that runs it.
@safe final class Processor: @unchecked Sendable {
    private let vcpu: VCPU
    private let control: RunControl
    private let bus: MachineBus
    private let slots: [MemorySlot]
    let exits = ExitCounters()
    private let finisher = InstructionFinisher()
    /// Ends the machine.
    private let onEnd: @Sendable (MachineEnd) -> Void
    @unsafe private var thread = pthread_t()
    /// The thread's number, 0 before it runs. Under the bus's lock.
    private(set) var threadID: Int32 = 0

    init(
        _ vcpu: consuming VCPU, _ cpuid: CPUIDTable, slots: [MemorySlot], bus: MachineBus, control: RunControl,
        onEnd: @escaping @Sendable (MachineEnd) -> Void
    ) throws(KVMError) {
        self.vcpu = vcpu
        (self.slots, self.bus, self.control, self.onEnd) = (slots, bus, control, onEnd)
        try self.vcpu.setCPUID(cpuid)
        // IA32_MISC_ENABLE: fast strings. IA32_MTRR_DEF_TYPE: on, write-back.
        let msrs = [MSRList.Entry(index: 0x1A0, value: 1), MSRList.Entry(index: 0x2FF, value: 0x806)]
        let taken = try self.vcpu.setMSRs(msrs)
        guard taken == msrs.count else {
            throw KVMError(
                operation: "KVM_SET_MSRS", errno: .invalidArgument,
                meaning: "the device refuses MSR 0x\(String(msrs[taken].index, radix: 16)) = \(msrs[taken].value)")
        }
    }

    /// The signal that ends a KVM_RUN; its handler has nothing to do.
    private static let kickSignal = lkx_vmm_kick_signal()

    static func prepareSignals() {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in }
        _ = unsafe sigaction(kickSignal, &action, nil)
    }

    func start() throws(VMMError) {
        let context = unsafe Unmanaged.passRetained(self).toOpaque()
        let error = unsafe pthread_create(
            &thread, nil,
            { context in
                let processor = unsafe Unmanaged<Processor>.fromOpaque(context!).takeRetainedValue()
                processor.run()
                return nil
            }, context)
        guard error == 0 else {
            unsafe Unmanaged<Processor>.fromOpaque(context).release()
            throw VMMError("a thread for vCPU \(vcpu.id)", errno: error)
        }
    }

    /// Makes its thread look at the run control soon: KVM_RUN comes back, or does so at once when it is called next.
    func kick() {
        vcpu.runPage.setImmediateExit(true)
        _ = unsafe pthread_kill(thread, Self.kickSignal)
    }

    func join() { _ = unsafe pthread_join(thread, nil) }

    private func run() {
        bus.lock.withLock { threadID = lkx_vmm_thread() }
        control.start()
        while true {
            // Cleared before the look: who sets it afterwards has changed the control before.
            vcpu.runPage.setImmediateExit(false)
            guard control.mayRun() else { return }
            do throws(KVMError) {
                while case .exit = try vcpu.run().result { try handle(vcpu.runPage.exit) }
                exits.countInterrupted()
            } catch {
                // A processor that waits to be started was woken for something else.
                if error.errno != .tryAgain { onEnd(.failed("vCPU \(vcpu.id): \(error)")) }
            }
        }
    }

    private func handle(_ exit: Exit) throws(KVMError) {
        exits.count(exit)
        switch exit {
        case .io(let io):
            switch io.direction {
            case .output:
                let bytes = try vcpu.runPage.output(io)
                for item in stride(from: 0, to: bytes.count, by: io.size) {
                    bus.writePort(io.port, size: io.size, value: Self.integer(bytes[item..<item + io.size]))
                }
            case .input:
                var bytes: [UInt8] = []
                for _ in 0..<io.count { Self.append(bus.readPort(io.port, size: io.size), io.size, to: &bytes) }
                try vcpu.runPage.answer(io, bytes)
            }
        case .mmio(let mmio):
            if let stored = mmio.stored {
                bus.store(mmio.address, stored)
            } else {
                vcpu.runPage.answer(mmio, bus.load(mmio.address, count: mmio.count))
            }
        case .endOfInterrupt(let vector): bus.endOfInterrupt(vector)
        case .hlt:
            // Only a device without a local APIC of its own says so: nothing would ever wake it.
            onEnd(.failed("vCPU \(vcpu.id) halts, and the device leaves waking it to this program"))
        case .irqWindowOpen, .setTPR, .intr: break
        case .shutdown: onEnd(.crashed)
        case .internalError(let suberror, _) where suberror == UInt32(KVM_INTERNAL_ERROR_EMULATION): try finish()
        default: onEnd(.failed("vCPU \(vcpu.id) left the guest with \(Self.text(exit))"))
        }
        if control.end != nil { vcpu.runPage.setImmediateExit(true) }
    }

    /// Does one instruction that the device can't.
    private func finish() throws(KVMError) {
        switch try finisher.finish(vcpu, memory: slots, device: bus) {
        case .finished: break
        case .tripleFault: onEnd(.crashed)
        case .unsupported(let why):
            let rip = String(try vcpu.registers().rip, radix: 16)
            onEnd(.failed("vCPU \(vcpu.id): the instruction at 0x\(rip) can't be executed: \(why)"))
        }
    }

    private static func text(_ exit: Exit) -> String {
        switch exit {
        case .failEntry(let reason, _): "\(exit.name), hardware reason 0x\(String(reason, radix: 16))"
        case .internalError(let suberror, let data): "\(exit.name), suberror \(suberror), data \(data)"
        default: exit.name
        }
    }

    static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }

    static func append(_ value: UInt64, _ size: Int, to bytes: inout [UInt8]) {
        for byte in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(byte)))) }
    }
}

extension Processor {
    /// The first processor's registers where a kernel is entered. The others wait for it.
    func load(_ state: StartState) throws(KVMError) {
        var special = try vcpu.specialRegisters()
        special.cs = kvm_segment(state.code)
        let data = kvm_segment(state.data)
        (special.ds, special.es, special.fs, special.gs, special.ss) = (data, data, data, data, data)
        special.tr = kvm_segment(state.task)
        (special.gdt.base, special.gdt.limit) = (state.gdtBase, state.gdtLimit)
        (special.idt.base, special.idt.limit) = (state.idtBase, state.idtLimit)
        (special.cr0, special.cr3, special.cr4, special.efer) = (state.cr0, state.cr3, state.cr4, state.efer)
        try vcpu.setSpecialRegisters(special)
        var registers = kvm_regs()
        (registers.rip, registers.rbx, registers.rsi, registers.rflags) = (state.rip, state.rbx, state.rsi, state.rflags)
        try vcpu.setRegisters(registers)
    }
}

extension kvm_segment {
    fileprivate init(_ register: SegmentRegister) {
        self.init()
        (base, limit, selector, type) = (register.base, register.limit, register.selector, register.type)
        (present, dpl, db, s) = (
            register.isPresent ? 1 : 0, register.privilege, register.isBig ? 1 : 0, register.isCodeOrData ? 1 : 0
        )
        (l, g) = (register.isLong ? 1 : 0, register.isGranular ? 1 : 0)
    }
}
