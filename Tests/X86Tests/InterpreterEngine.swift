// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// Runs differential cases on the interpreter.
final class InterpreterEngine {
    private let memory = StrictMemory(size: Case.memorySize)

    func run(_ test: Case, at place: Int) -> EngineResult {
        var processor = Processor(bus: memory, translationCapacity: 16)
        test.mode.prepare(&processor)
        processor.interceptedExceptions = .max
        for number in 0..<16 { processor.registers[number] = test.start.registers[number] }
        for number in 0..<16 {
            processor.vectors.xmm[number] = SIMD2(test.start.xmm[2 * number], test.start.xmm[2 * number + 1])
        }
        processor.flags = test.start.flags
        processor.rip = UInt64(place)
        memory.set([UInt8](repeating: 0xF4, count: test.code.count + 16), at: place)
        memory.set(test.code, at: place)
        memory.set(test.start.memory, at: Case.window.lowerBound)

        let end = UInt64(place + test.code.count)
        var vector: UInt8?
        var outcome = Outcome.retired
        var steps = 0
        while outcome == .retired && processor.rip != end && steps < 2000 {
            outcome = processor.step()
            steps += 1
        }
        if case .exception(let exception) = outcome { vector = exception.vector }
        var state = CaseState()
        for number in 0..<16 {
            state.registers[number] = processor.registers[number]
            state.xmm[2 * number] = processor.vectors.xmm[number][0]
            state.xmm[2 * number + 1] = processor.vectors.xmm[number][1]
        }
        state.flags = processor.flags
        state.rip = processor.rip
        state.memory = memory.bytes(Case.window)
        return EngineResult(end: outcome == .retired ? .done : .exception, state: state, vector: vector)
    }
}
