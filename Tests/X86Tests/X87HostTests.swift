// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CX87
import TestRandom
import Testing
import X86
import X86Differential

/// Every x87 instruction on random states, compared with the processor that runs the tests: registers, all flags and exceptions, memory.
@Suite(.serialized, .enabled(if: cx87_available(), "needs an AMD processor")) struct X87HostTests {
    /// The encodings without an operand in memory.
    static let registerForms: [[UInt8]] = (0xD8...0xDF).flatMap { opcode in
        (0xC0...0xFF).map { [UInt8(opcode), UInt8($0)] }
    }.filter { !undefined.contains($0) && !approximate.contains($0) }

    /// Encodings that are no instructions, and FNINIT's kin that this test's own code would undo.
    static let undefined: Set<[UInt8]> = {
        var result: Set<[UInt8]> = []
        for low in 0xD1...0xDF where low < 0xD8 { result.insert([0xD9, UInt8(low)]) }
        for low in [0xE2, 0xE3, 0xE6, 0xE7, 0xEF] { result.insert([0xD9, UInt8(low)]) }
        for low in 0xE0...0xFF where low != 0xE9 { result.insert([0xDA, UInt8(low)]) }
        for low in [0xE5, 0xE6, 0xE7] + Array(0xF8...0xFF) { result.insert([0xDB, UInt8(low)]) }
        for low in 0xF0...0xFF { result.insert([0xDD, UInt8(low)]) }
        for low in 0xD8...0xDF where low != 0xD9 { result.insert([0xDE, UInt8(low)]) }
        for low in 0xE1...0xE7 { result.insert([0xDF, UInt8(low)]) }
        for low in 0xF8...0xFF { result.insert([0xDF, UInt8(low)]) }
        return result
    }()

    /// Transcendental functions, whose last bits are each processor's own.
    static let approximate: Set<[UInt8]> = [
        [0xD9, 0xF0], [0xD9, 0xF1], [0xD9, 0xF2], [0xD9, 0xF3], [0xD9, 0xF9], [0xD9, 0xFB], [0xD9, 0xFE], [0xD9, 0xFF],
    ]

    /// Those with (%rsi).
    static let memoryForms: [[UInt8]] = (0xD8...0xDF).flatMap { opcode in
        (0..<8).map { [UInt8(opcode), UInt8($0 << 3 | 6)] }
    }.filter { ![[0xD9, 0x0E], [0xDB, 0x26], [0xDB, 0x36], [0xDD, 0x2E]].contains($0) }

    /// The first difference of each form, and how many of its cases differ.
    private func differences(_ forms: [[UInt8]], cases: Int, seed: UInt64) -> [String] {
        var random = Random(seed: seed)
        return forms.compactMap { form in
            var guest = Guest(.bits64, form)
            var found: [String] = []
            for _ in 0..<cases { if let text = X87Case(&random).difference(form, &guest) { found.append(text) } }
            guard let first = found.first else { return nil }
            return "\(form.map { String($0, radix: 16) }.joined(separator: " ")): \(found.count) of \(cases), \(first)"
        }
    }

    @Test func registersAgree() {
        #expect(Self.registerForms.count > 330)
        let found = differences(Self.registerForms, cases: 150, seed: 0x1287)
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test func memoryOperandsAgree() {
        #expect(Self.memoryForms.count == 60)
        let found = differences(Self.memoryForms, cases: 500, seed: 0x4387)
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    /// Transcendental functions give the same number to within two units in its last place, and the same exceptions.
    @Test func functionsAreNear() {
        var random = Random(seed: 0x7387)
        var found: [String] = []
        for form in Self.approximate.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            // F2XM1 is defined below 1, FYL2XP1 below 1 - sqrt(1/2); angles below 1 are those that need no pi, which has 66 bits on
            // processors and all here.
            let exponents =
                switch form[1] {
                case 0xF0: -70 ... -1
                case 0xF9: -70 ... -3
                case 0xF1, 0xF3: -60...60
                default: -60 ... -1
                }
            var guest = Guest(.bits64, form)
            for _ in 0..<400 {
                var test = X87Case(&random)
                test.makeFunctionArguments(&random, exponents: exponents)
                if let text = test.difference(form, &guest, units: 2) { found.append("\(form): \(text)") }
            }
        }
        #expect(found.isEmpty, "\(found.count): \(found.prefix(20).joined(separator: "\n"))")
    }
}
