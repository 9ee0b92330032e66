// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

/// The registers that a case starts from, and those that each engine ends with.
///
/// One array of words, laid out as the C shims have it: RAX to R15, RIP, RFLAGS, MXCSR, one unused, then the low and high
/// halves of XMM0 to XMM15.
package struct CaseState: Equatable, Sendable {
    package static let count = 52
    package var words = [UInt64](repeating: 0, count: count)

    package init() {
        flags = 2
        mxcsr = 0x1F80
    }

    package subscript(register: Int) -> UInt64 {
        get { words[register] }
        set { words[register] = newValue }
    }
    package var rip: UInt64 {
        get { words[16] }
        set { words[16] = newValue }
    }
    package var flags: UInt64 {
        get { words[17] }
        set { words[17] = newValue }
    }
    package var mxcsr: UInt64 {
        get { words[18] }
        set { words[18] = newValue }
    }
    /// Half of a vector register: 2n is XMMn's low half.
    package subscript(half number: Int) -> UInt64 {
        get { words[20 + number] }
        set { words[20 + number] = newValue }
    }

    /// The name of a word, for people.
    package static func name(_ word: Int) -> String {
        let general = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"]
        switch word {
        case 0..<8: return general[word]
        case 8..<16: return "r\(word)"
        case 16: return "rip"
        case 17: return "flags"
        case 18: return "mxcsr"
        default: return "xmm\((word - 20) / 2).\(word % 2 == 0 ? "low" : "high")"
        }
    }
}

/// How an engine's run ended.
package enum CaseEnd: Equatable, Sendable, CustomStringConvertible {
    case done
    case exception(UInt8)
    /// An access to memory that isn't there or may not be written.
    case memory
    /// Something else that no case should lead to.
    case other(String)

    package var description: String {
        switch self {
        case .done: "the end"
        case .exception(let vector): "exception \(vector)"
        case .memory: "an access to missing memory"
        case .other(let text): text
        }
    }
}

/// What an engine made of a case.
package struct EngineResult: Sendable {
    package var end: CaseEnd
    package var state: CaseState
    /// `CaseMode.data`.
    package var memory: [UInt8]

    /// memcmp(3): arrays are compared byte by byte, which takes longer than all the rest of a case.
    func hasSameMemory(as other: EngineResult) -> Bool {
        unsafe memory.count == other.memory.count && memcmp(memory, other.memory, memory.count) == 0
    }

    package func read(_ address: UInt64, _ size: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<size {
            value |= UInt64(memory[Int(address) - CaseMode.data.lowerBound + index]) << UInt64(8 * index)
        }
        return value
    }
    package mutating func write(_ address: UInt64, _ size: Int, _ value: UInt64) {
        for index in 0..<size {
            memory[Int(address) - CaseMode.data.lowerBound + index] = UInt8(
                truncatingIfNeeded: value >> UInt64(8 * index))
        }
    }
}

/// One program with its start.
package struct Case: Sendable {
    package var mode: CaseMode
    package var instructions: [GeneratedInstruction]
    package var start: CaseState
    package var memory: [UInt8]

    package var code: [UInt8] { Array(instructions.map(\.bytes).joined()) }
}
