// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// Something that Unicorn does otherwise than the SDM says: which instructions, from which states, and what it makes of them.
///
/// An excuse foretells Unicorn's result, so that it covers this very error and nothing beside. Where the error can be seen in
/// 64-bit mode, `make differential JUDGE=native` shows that processors do as X86 does.
struct KnownDifference: Sendable {
    /// What a difference is judged by.
    struct Context {
        var mode: CaseMode
        /// The only instruction, or the last of a sequence that ends with its fault.
        var instruction: GeneratedInstruction
        /// Whether there are others before it.
        var isInBlock = false
        var start: EngineResult
        /// The ModRM operand before, or nil where it can't be read.
        var source: UInt64?
        var ours: EngineResult
        /// Nil while a case is being made.
        var theirs: EngineResult?

        var bits: Int { instruction.size * 8 }
        /// The exception that the interpreter raised.
        var vector: UInt8? {
            if case .exception(let vector) = ours.end { return vector }
            return nil
        }

        /// Our result but for one general register.
        func with(_ register: Int, _ value: UInt64) -> EngineResult {
            var result = ours
            result.state[register] = value
            return result
        }
        /// Our result but for some flags.
        func with(flags value: UInt64, in mask: UInt64) -> EngineResult {
            var result = ours
            result.state.flags = result.state.flags & ~mask | value & mask
            return result
        }
        /// Our result but for some bytes of memory.
        func with(memory: [UInt8], in range: Range<UInt64>) -> EngineResult {
            var result = ours
            let data = CaseMode.data
            for address in range where data.contains(Int(truncatingIfNeeded: address)) {
                result.memory[Int(address) - data.lowerBound] = memory[Int(address) - data.lowerBound]
            }
            return result
        }
        /// #UD, and nothing changed.
        var undefined: EngineResult {
            var result = start
            result.end = .exception(6)
            return result
        }
        /// Our result, but for how it ended.
        func ending(_ end: CaseEnd) -> EngineResult {
            var result = ours
            result.end = end
            return result
        }
        /// Whatever Unicorn made of it, for errors whose result only Unicorn can tell.
        var anything: EngineResult { theirs ?? ours }
    }

    var name: String
    /// The SDM's words, and what Unicorn does instead.
    var reason: String
    /// What Unicorn is expected to end with, or nil where this isn't the case in question.
    var predict: @Sendable (Context) -> EngineResult?
}
