// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// Runs cases on the interpreter; also one instruction at a time, while a case is being made.
package struct InterpreterEngine: ~Copyable {
    private let memory: StrictMemory
    private var processor: Processor

    package init(_ mode: CaseMode) {
        memory = StrictMemory()
        processor = Processor(bus: memory, translationCapacity: 16)
        mode.prepare(&processor)
        processor.interceptedExceptions = .max
    }

    /// Replaces registers and data memory.
    package mutating func load(_ state: CaseState, _ data: [UInt8]) {
        for number in 0..<16 {
            processor.registers[number] = state[number]
            processor.vectors.xmm[number] = SIMD2(state[half: 2 * number], state[half: 2 * number + 1])
        }
        processor.flags = state.flags
        processor.rip = state.rip
        processor.vectors.mxcsr = UInt32(truncatingIfNeeded: state.mxcsr)
        processor.interruptShadow = .none
        processor.isHalted = false
        processor.pendingDebug = 0
        memory.set(data, at: CaseMode.data.lowerBound)
    }

    package var state: CaseState {
        var state = CaseState()
        for number in 0..<16 {
            state[number] = processor.registers[number]
            state[half: 2 * number] = processor.vectors.xmm[number][0]
            state[half: 2 * number + 1] = processor.vectors.xmm[number][1]
        }
        state.flags = processor.flags
        state.rip = processor.rip
        state.mxcsr = UInt64(processor.vectors.mxcsr)
        return state
    }
    package var data: [UInt8] { memory.data }

    /// A value in data memory, or nil beyond it.
    package func read(_ address: UInt64, _ size: Int) -> UInt64? { memory.read(address, size) }

    /// Runs code that is put where RIP points, to its end.
    package mutating func run(_ code: [UInt8]) -> CaseEnd {
        let place = Int(processor.rip)
        // All other code memory is HLT.
        memory.set(code, at: place)
        defer { memory.set([UInt8](repeating: 0xF4, count: code.count), at: place) }
        let end = UInt64(place + code.count)
        for _ in 0..<1000 {
            if processor.rip == end { return .done }
            switch processor.step() {
            case .retired: continue
            case .exception(let exception): return .exception(exception.vector)
            case .refused: return .memory
            case .halted: return .other("HLT")
            case .intercepted(let point): return .other("an intercepted \(point)")
            case .tripleFault: return .other("a triple fault")
            }
        }
        return processor.rip == end ? .done : .other("a loop without end")
    }

    package mutating func run(_ test: Case) -> EngineResult {
        load(test.start, test.memory)
        let end = run(test.code)
        return EngineResult(end: end, state: state, memory: data)
    }
}
