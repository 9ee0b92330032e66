// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What was run in one mode, and how it ended.
package struct Tally: Sendable {
    package var instructions: UInt64 = 0
    /// Retired on both engines, with the same state.
    package var instructionsDone: UInt64 = 0
    /// The same exception on both.
    package var instructionsFaulted: UInt64 = 0
    package var instructionsKnown: UInt64 = 0
    package var sequences: UInt64 = 0
    /// Those that ran to their ends on both, with the same state.
    package var sequencesDone: UInt64 = 0
    package var sequenceInstructions: UInt64 = 0
    package var sequenceInstructionsDone: UInt64 = 0
    package var differences: UInt64 = 0

    package init() {}

    package static func + (a: Tally, b: Tally) -> Tally {
        var sum = a
        sum.instructions += b.instructions
        sum.instructionsDone += b.instructionsDone
        sum.instructionsFaulted += b.instructionsFaulted
        sum.instructionsKnown += b.instructionsKnown
        sum.sequences += b.sequences
        sum.sequencesDone += b.sequencesDone
        sum.sequenceInstructions += b.sequenceInstructions
        sum.sequenceInstructionsDone += b.sequenceInstructionsDone
        sum.differences += b.differences
        return sum
    }
}
