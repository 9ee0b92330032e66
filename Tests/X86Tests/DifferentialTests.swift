// SPDX-License-Identifier: MIT OR GPL-2.0-only
#if canImport(CUnicorn)
import Glibc
import Testing
import X86

/// Random instructions and sequences against Unicorn. X86_RANDOM_INSTRUCTIONS, X86_RANDOM_SEQUENCES and X86_SEED choose how
/// many and which, X86_FAILURES how many differences end a run, X86_TRACE=1 prints each case.
@Suite(.serialized) struct DifferentialTests {
    private static func number(_ name: String, _ standard: UInt64) -> UInt64 {
        guard let text = unsafe getenv(name) else { return standard }
        return UInt64(unsafe String(cString: text)) ?? standard
    }
    private let seed = number("X86_SEED", 1)
    /// Differences that are told in full before the run gives up.
    private let patience = Int(number("X86_FAILURES", 10))

    /// Tells each case before it runs, for when Unicorn ends the process.
    private let traces = number("X86_TRACE", 0) != 0

    @Test func singleInstructions() {
        let count = Self.number("X86_RANDOM_INSTRUCTIONS", 6_000)
        print("X86 against Unicorn: \(count) instructions, X86_SEED=\(seed)")
        run(count) { generator, mode in
            let forms = InstructionForms.byMode[mode] ?? []
            return [generator.instruction(generator.random.pick(forms), mode)]
        }
    }

    @Test func sequences() {
        let count = Self.number("X86_RANDOM_SEQUENCES", 600)
        print("X86 against Unicorn: \(count) sequences, X86_SEED=\(seed)")
        run(count) { generator, mode in
            let forms = InstructionForms.byMode[mode] ?? []
            var instructions: [GeneratedInstruction] = []
            for _ in 0..<Int.random(in: 3...12, using: &generator.random) {
                let next = generator.instruction(generator.random.pick(forms), mode)
                instructions.append(next)
                // CMP AL, AL defines what the instruction left undefined.
                if next.undefined != 0 { instructions.append(GeneratedInstruction(name: "cmp", bytes: [0x38, 0xC0])) }
            }
            return instructions
        }
    }

    private func run(_ count: UInt64, _ make: (inout Generator, Mode) -> [GeneratedInstruction]) {
        let differential = Differential()
        var failures = 0
        for index in 0..<count {
            var generator = Generator(seed: seed &+ index &* 0x1_0000_0001)
            let mode = Mode.allCases[Int(index % 3)]
            let instructions = make(&generator, mode)
            let start = generator.start(mode, for: instructions)
            let test = Case(mode: mode, instructions: instructions, start: start)
            if traces {
                print("case \(index): \(mode): \(instructions.map { $0.name + " \($0.bytes)" })")
                fflush(nil)
            }
            guard differential.difference(test) != nil else { continue }
            Issue.record("X86_SEED=\(seed), case \(index): \(differential.report(test))")
            failures += 1
            if failures >= patience { break }
        }
        for (name, times) in differential.known.sorted(by: { $0.key < $1.key }) { print("known: \(name), \(times) times") }
        // Nothing is shown by cases that all fault; long sequences often do.
        #expect(failures > 0 || differential.finished * 5 > count, "only \(differential.finished) of \(count) cases ran through")
    }
}
#endif
