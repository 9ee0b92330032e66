// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
public import KVM
import X86

/// Finishes in user space one instruction that a device gave back with KVM_INTERNAL_ERROR_EMULATION.
///
/// The module decodes the moves that drivers use for MMIO and nothing else: every line of an instruction emulator in a
/// kernel is attacked by every guest. What it doesn't decode (an ADD to a register of a device, a PUSH of one) leaves
/// with the vCPU as before the instruction, and the interpreter `X86` executes it here, in a process that holds
/// nothing but this guest.
///
/// Use it on the vCPU's thread, between two KVM_RUN.
public final class InstructionFinisher {
    public enum Result: Equatable, Sendable {
        /// The instruction is done, or one round of its REP, or the exception that it raises is delivered: run on.
        case finished
        /// The exception it raises ends in a triple fault.
        case tripleFault
        /// It is none of those that can be finished here; the vCPU is as it was. Says why.
        case unsupported(String)
    }

    /// Apart, so that a finisher's size does not depend on a processor's: modules that make finishers do not import `X86`, and SwiftPM would not
    /// compile them again when a processor grows.
    private final class Engine {
        let bus = SlotBus()
        var processor: Processor

        init() {
            processor = Processor(bus: bus, translationCapacity: 64)
            processor.intercepts = .all
            // The processor itself has found the instruction to be a defined one: #UD means that the interpreter lacks it.
            processor.interceptedExceptions = 1 << UInt32(ProcessorException.undefined)
            // That the guest's tables have no reserved bits set, the processor has checked too.
            processor.physicalAddressBits = 52
            processor.allowedCR4 = .max
        }
    }
    private let engine = Engine()

    public init() {}

    /// Executes the instruction that `vcpu` is at.
    ///
    /// - Parameters:
    ///   - memory: the VM's slots.
    ///   - device: what is wherever there is no slot. It is asked once for each load and store the instruction makes, in
    ///     order, and not again if the instruction ends in an exception.
    public func finish(
        _ vcpu: borrowing VCPU, memory: [MemorySlot], device: any MMIODevice
    ) throws(KVMError) -> Result {
        let registers = try vcpu.registers()
        guard registers.rflags & 0x100 == 0 else {
            // #DB wants DR6 and DR7, which only KVM_GET_DEBUGREGS has.
            return .unsupported("it is single-stepped (RFLAGS.TF)")
        }
        let special = try vcpu.specialRegisters()
        let fpu = try vcpu.fpu()
        engine.processor.load(registers, special, fpu)
        engine.processor.translations.forgetAll()
        engine.bus.slots = memory
        engine.bus.device = device
        defer {
            engine.bus.slots = []
            engine.bus.device = nil
        }

        switch engine.processor.step() {
        case .retired: break
        case .tripleFault: return .tripleFault
        case .intercepted(let point): return .unsupported("it is one that the kernel side executes (\(point))")
        case .refused: return .unsupported("it, or a page table that it uses, is not in memory")
        case .exception, .halted:
            let bytes = instructionBytes(memory)
            return .unsupported("the interpreter doesn't know it (bytes \(bytes))")
        }
        try vcpu.setRegisters(engine.processor.generalRegisters)
        let after = engine.processor.specialRegisters(special)
        if !Self.isSame(after, special) { try vcpu.setSpecialRegisters(after) }
        // MXCSR's flags stay as they were: KVM_SET_FPU doesn't set them.
        let vectors = engine.processor.vectors.kvm
        if !Self.isSame(vectors, fpu) { try vcpu.setFPU(vectors) }
        return .finished
    }

    /// The bytes at RIP, for a message; only where linear addresses are physical ones, which is good enough for one.
    private func instructionBytes(_ memory: [MemorySlot]) -> String {
        let address = GuestAddress(engine.processor.segments[SegmentRegister.cs].base &+ engine.processor.rip)
        guard let bytes = memory.lazy.compactMap({ $0.read(at: address, count: 15) }).first else { return "unknown" }
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }

    private static func isSame<State: BitwiseCopyable>(_ one: State, _ other: State) -> Bool {
        unsafe withUnsafeBytes(of: one) { one in
            unsafe withUnsafeBytes(of: other) { other in unsafe one.elementsEqual(other) }
        }
    }
}
