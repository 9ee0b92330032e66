// SPDX-License-Identifier: MIT OR GPL-2.0-only
#if canImport(CUnicorn)
import X86

/// Runs cases on both engines and says where they differ.
final class Differential {
    private let unicorn: [Mode: UnicornEngine]
    private let interpreter = InterpreterEngine()
    private(set) var known: [String: Int] = [:]
    /// Cases that both engines finished without an exception.
    private(set) var finished = 0

    init() {
        unicorn = Dictionary(uniqueKeysWithValues: Mode.allCases.map { ($0, UnicornEngine($0)) })
    }

    /// A description of the first difference, or nil.
    func difference(_ test: Case, counting: Bool = true) -> String? {
        guard let engine = unicorn[test.mode] else { return "no Unicorn for \(test.mode)" }
        let ours = interpreter.run(test)
        let theirs = engine.run(test)
        if counting && ours.end == .done && theirs.end == .done { finished += 1 }
        guard let text = compare(test, ours, theirs) else { return nil }
        if let known = KnownDifferences.list.first(where: { $0.explains(test, ours, theirs) }) {
            if counting { self.known[known.name, default: 0] += 1 }
            return nil
        }
        return text
    }

    private func compare(_ test: Case, _ ours: EngineResult, _ theirs: EngineResult) -> String? {
        if ours.end != theirs.end {
            return "X86 ends with \(ours.end) (vector \(ours.vector.map { "\($0)" } ?? "none")) at \(hex(ours.state.rip)), "
                + "Unicorn with \(theirs.end) at \(hex(theirs.state.rip))"
        }
        // After an exception the engines may have stopped at different points of the instruction.
        if ours.end == .exception { return nil }
        for number in 0..<16 where ours.state.registers[number] != theirs.state.registers[number] {
            return "register \(number): X86 \(hex(ours.state.registers[number])), Unicorn "
                + hex(theirs.state.registers[number])
        }
        let undefined = test.instructions.last?.undefined ?? 0
        let mask = (Flag.status | Flag.direction) & ~undefined
        if (ours.state.flags ^ theirs.state.flags) & mask != 0 {
            return "flags: X86 \(hex(ours.state.flags & mask)), Unicorn \(hex(theirs.state.flags & mask))"
        }
        for number in 0..<32 where ours.state.xmm[number] != theirs.state.xmm[number] {
            return "xmm\(number / 2) half \(number % 2): X86 \(hex(ours.state.xmm[number])), Unicorn "
                + hex(theirs.state.xmm[number])
        }
        if ours.state.memory != theirs.state.memory {
            for index in Case.window where ours.state.memory[index] != theirs.state.memory[index] {
                return "memory at \(hex(UInt64(index))): X86 \(ours.state.memory[index]), Unicorn "
                    + "\(theirs.state.memory[index])"
            }
        }
        return nil
    }

    /// The least case that still differs: fewer instructions, then registers and memory of zeros.
    func shrunk(_ test: Case) -> Case {
        var best = test
        func attempt(_ change: (inout Case) -> Void) {
            var candidate = best
            change(&candidate)
            if difference(candidate, counting: false) != nil { best = candidate }
        }
        for index in best.instructions.indices.reversed() where best.instructions.count > 1 {
            attempt { $0.instructions.remove(at: index) }
        }
        for number in 0..<16 where best.start.registers[number] != 0 { attempt { $0.start.registers[number] = 0 } }
        for number in 0..<32 where best.start.xmm[number] != 0 { attempt { $0.start.xmm[number] = 0 } }
        attempt { $0.start.flags = 2 }
        attempt { $0.start.memory = [UInt8](repeating: 0, count: Case.window.count) }
        return best
    }

    /// All that is needed to see a difference again.
    func report(_ original: Case) -> String {
        let test = shrunk(original)
        let text = difference(test, counting: false) ?? "gone"
        let code = test.instructions.map { $0.name + " " + $0.bytes.map { hex($0) }.joined(separator: " ") }
        let registers = test.start.registers.enumerated().filter { $0.element != 0 }
            .map { "r\($0.offset)=\(hex($0.element))" }
        let vectors = test.start.xmm.enumerated().filter { $0.element != 0 }
            .map { "xmm\($0.offset / 2)[\($0.offset % 2)]=\(hex($0.element))" }
        let isZero = test.start.memory.allSatisfy { $0 == 0 }
        return "\(test.mode): \(code.joined(separator: "; ")): \(text); from flags=\(hex(test.start.flags)) "
            + (registers + vectors).joined(separator: " ") + (isZero ? "" : " and random memory")
    }

    private func hex<T: BinaryInteger>(_ value: T) -> String { String(value, radix: 16) }
}
#endif
