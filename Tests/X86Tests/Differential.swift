// SPDX-License-Identifier: MIT OR GPL-2.0-only
#if canImport(CUnicorn)
import X86

/// Runs cases on both engines and says where they differ.
final class Differential {
    private var unicorn: [Mode: UnicornEngine] = [:]
    /// Renewed together, so that memory outside the window is alike too.
    private var interpreter: [Mode: InterpreterEngine] = [:]
    private(set) var known: [String: Int] = [:]
    /// Cases that both engines finished without an exception.
    private(set) var finished = 0

    /// An engine with a place for code.
    private func engine(_ test: Case) -> (UnicornEngine, place: Int) {
        let size = test.code.count + 16
        if let engine = unicorn[test.mode], let place = engine.takePlace(size) { return (engine, place) }
        let engine = UnicornEngine(test.mode)
        unicorn[test.mode] = engine
        interpreter[test.mode] = InterpreterEngine()
        return (engine, engine.takePlace(size) ?? 0)
    }

    /// A description of the first difference, or nil.
    func difference(_ test: Case, counting: Bool = true) -> String? {
        let (engine, place) = self.engine(test)
        guard let ours = interpreter[test.mode]?.run(test, at: place) else { return "no interpreter for \(test.mode)" }
        let theirs = engine.run(test, at: place)
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
        let undefined = test.instructions.reversed().prefix { $0.bytes != [0x38, 0xC0] }.reduce(0) { $0 | $1.undefined }
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
