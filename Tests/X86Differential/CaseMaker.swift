// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestRandom
import X86

/// Makes cases of one mode with the interpreter at hand: in a sequence each instruction is made for the state that it will find,
/// and one that would fault is mostly dropped, so that nearly all of a sequence runs.
final class CaseMaker {
    private let mode: CaseMode
    private let forms: [InstructionForm]
    private var interpreter: InterpreterEngine
    private let excuses: [KnownDifference]

    /// - Parameter excuses: what the other engine does otherwise, and so isn't used in sequences.
    init(_ mode: CaseMode, excuses: [KnownDifference]) {
        self.mode = mode
        self.excuses = excuses
        forms = InstructionForms.byMode[mode] ?? []
        interpreter = InterpreterEngine(mode)
    }

    func run(_ test: Case) -> EngineResult { interpreter.run(test) }

    func single(_ generator: inout Generator) -> (Case, EngineResult) {
        let start = generator.start(mode)
        let memory = generator.memory()
        let instruction = generator.instruction(generator.random.pick(forms), mode, start)
        var prepared = start
        // A REP must end within the memory there is more often than not.
        if instruction.name == "string" && generator.random.chance(90) { prepared[Register.rcx] %= 48 }
        let test = Case(mode: mode, instructions: [instruction], start: prepared, memory: memory)
        return (test, interpreter.run(test))
    }

    struct Sequence {
        var test: Case
        var result: EngineResult
        /// Instructions that didn't fault.
        var retired: Int
    }

    func sequence(_ generator: inout Generator) -> Sequence {
        let start = generator.start(mode)
        let memory = generator.memory()
        var test = Case(mode: mode, instructions: [], start: start, memory: memory)
        let length = Int.random(in: 3...12, using: &generator.random)
        var now = EngineResult(end: .done, state: start, memory: memory)
        var dropped = 0
        while test.instructions.count < length && now.end == .done {
            for instruction in proposed(&generator, now.state) {
                let next = step(instruction, now)
                // One in sixteen that fault stays in, as the sequence's end.
                let stays = next.end == .done || dropped > 64 || generator.random.chance(6)
                guard stays && isComparable(instruction, now, next, isFirst: test.instructions.isEmpty) else {
                    dropped += 1
                    break
                }
                test.instructions.append(instruction)
                now = next
                if next.end != .done { break }
                if Undefined.names.contains(instruction.name) {
                    test.instructions.append(Undefined.definer)
                    now = step(Undefined.definer, now)
                }
            }
        }
        let retired = test.instructions.count - (now.end == .done ? 0 : 1)
        return Sequence(test: test, result: now, retired: retired)
    }

    /// Some instruction, after others that make its implicit pointers point to memory.
    private func proposed(_ generator: inout Generator, _ state: CaseState) -> [GeneratedInstruction] {
        let form = generator.random.pick(forms)
        let needed: [Int] =
            switch form.name {
            case "string": [Register.rsi, Register.rdi, Register.rcx]
            case "push", "pop", "pusha", "popa", "pushf": [Register.rsp]
            case "leave": [Register.rbp]
            case "xlat": [Register.rbx]
            default: []
            }
        var state = state
        var list: [GeneratedInstruction] = []
        for register in needed {
            let isCount = register == Register.rcx
            if isCount ? state[register] < 64 : state[register] > 0x1100 && state[register] < 0x3F00 { continue }
            let value = isCount ? generator.random.next() % 40 : generator.pointer(8)
            // MOV r32, or in 16-bit code with 66, so that the upper halves are right too.
            let prefix: [UInt8] = mode == .bits16 ? [0x66] : []
            let move = GeneratedInstruction(
                name: "mov", bytes: prefix + [0xB8 + UInt8(register)] + generator.little(value, 4))
            list.append(move)
            state[register] = value & 0xFFFF_FFFF
            state.rip &+= UInt64(move.bytes.count)
        }
        list.append(generator.instruction(form, mode, state))
        return list
    }

    /// What the next instruction does.
    private func step(_ instruction: GeneratedInstruction, _ now: EngineResult) -> EngineResult {
        interpreter.load(now.state, now.memory)
        let end = interpreter.run(instruction.bytes)
        return EngineResult(end: end, state: interpreter.state, memory: interpreter.data)
    }

    /// Whether an instruction may stand in a sequence: what it leaves is defined, and Unicorn isn't known to see it otherwise.
    private func isComparable(_ i: GeneratedInstruction, _ before: EngineResult, _ after: EngineResult, isFirst: Bool)
        -> Bool
    {
        let source = Comparison.source(i, before.state, before)
        let undefined = Undefined.after(i, before.state, source: source)
        if undefined.register != nil || undefined.destination { return false }
        let context = KnownDifference.Context(
            mode: mode, instruction: i, isInBlock: !isFirst, start: before, source: source, ours: after, theirs: nil)
        // An instruction that faults is the last, for which there are excuses.
        return after.end != .done || !excuses.contains { $0.predict(context) != nil }
    }
}
