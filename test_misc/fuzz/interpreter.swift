// SPDX-License-Identifier: MIT OR GPL-2.0-only
// fuzz: -max_len=48 -use_counters=0
// Fuzzes the interpreter: any code in any mode on a small machine must not end this process, nor break what a processor promises.
// The input: the mode; a byte of choices (`Start`); two bytes that registers are made from; code.
import Glibc
@testable import X86

@c(LLVMFuzzerTestOneInput)
public func fuzzInterpreter(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data = unsafe data, size > 4 else { return 0 }
    let seed = unsafe UInt64(data[2]) | UInt64(data[3]) << 8
    let start = unsafe Start(mode: Mode.allCases[Int(data[0]) % Mode.allCases.count], choices: Choices(rawValue: data[1]), seed: seed)
    unsafe Session.shared.run(start, UnsafeBufferPointer(start: data + 4, count: size - 4))
    return 0
}

/// The one machine, which each input starts afresh.
@safe final class Session {
    nonisolated(unsafe) static let shared = Session()
    static let mostSteps = 16

    let memory = SmallMemory()
    var processor: Processor
    // Their storage is reused: allocations would take most of an execution.
    var (stepped, first, second) = (Snapshot(), Snapshot(), Snapshot())

    init() { processor = Processor(bus: memory, translationCapacity: 16) }

    func run(_ start: Start, _ code: UnsafeBufferPointer<UInt8>) {
        unsafe prepare(start, code)
        var outcome = Outcome.retired
        var steps = 0
        while steps < Self.mostSteps, outcome == .retired {
            outcome = checkedStep()
            steps += 1
            // Long REPs are slow and all alike.
            if processor.registers[16] == stepped.registers[16], processor.flags & Flag.trap == 0, steps > 2 { break }
        }
        first.take(processor, memory)

        // The same at one go.
        unsafe prepare(start, code)
        let again = processor.run(limit: UInt64(steps))
        precondition(again == outcome, "step() and run() end differently")
        second.take(processor, memory)
        if first != second {
            print("step() left", first, "run() left", second, separator: "\n")
            fflush(nil)
            preconditionFailure("step() and run() leave different states")
        }
    }

    private func prepare(_ start: Start, _ code: UnsafeBufferPointer<UInt8>) {
        memory.reset()
        unsafe memory.place(code, at: SmallMemory.code)
        processor.reset()
        start.apply(&processor)
        processor.refreshMode()
    }

    private func checkedStep() -> Outcome {
        stepped.take(processor)
        let outcome = processor.step()
        checkState()
        switch outcome {
        case .retired: break
        case .halted: precondition(processor.isHalted)
        case .intercepted(let point):
            precondition(processor.intercepts.has(point))
            checkUnchanged()
        case .exception(let exception):
            precondition(processor.interceptedExceptions >> UInt32(exception.vector) & 1 != 0)
            if exception.vector != ProcessorException.debug { checkUnchanged() }
        case .refused:
            precondition(memory.hasRefused)
            checkUnchanged()
        case .tripleFault: precondition(processor.delivering != nil)
        }
        return outcome
    }

    /// What holds between any two instructions.
    private func checkState() {
        precondition(processor.flags & 0xFFFF_FFFF_FFC0_802A == Flag.fixed, "reserved flags")
        precondition(processor.privilege <= 3)
        precondition(processor.is64Bit || processor.rip <= 0xFFFF_FFFF, "RIP outside of 64-bit mode")
        precondition(processor.registers[17] == 0, "the register that is always zero")
        let cr0 = processor.cr0
        precondition(cr0 & CR0.paging == 0 || cr0 & CR0.protection != 0)
        let isActive = processor.efer & EFER.longModeActive != 0
        precondition(isActive == (processor.efer & EFER.longModeEnable != 0 && cr0 & CR0.paging != 0))
        if processor.flags & Flag.virtual8086 != 0 { precondition(processor.privilege == 3 && !isActive) }
    }

    /// An instruction that did not come to its end has done nothing; of a REP one, whole elements may be done.
    private func checkUnchanged() {
        guard processor.delivering == nil, processor.registers[Register.rcx] == stepped.registers[Register.rcx] else { return }
        for number in 0...16 { precondition(processor.registers[number] == stepped.registers[number], "a register changed") }
        precondition(processor.flags & ~Flag.resume == stepped.flags & ~Flag.resume, "flags changed")
        for number in 0..<6 { precondition(processor.segments[number] == stepped.segments[number], "a segment changed") }
    }
}
