// SPDX-License-Identifier: MIT OR GPL-2.0-only
#if canImport(CUnicorn)
    import Testing
    import X86Differential

    /// The short form of `make differential`: a few seconds, always the same cases.
    @Suite(.serialized) struct DifferentialTests {
        private static let seed: UInt64 = 20_261

        @Test func randomInstructionsAndSequencesAreAsInUnicorn() throws {
            let differential = Differential(seed: Self.seed, judge: .unicorn)
            let total = run(differential, instructions: 24_000, sequences: 2_400)
            // Most of it must run: nothing is shown by cases that all fault.
            #expect(total.instructionsDone * 10 > total.instructions * 9)
            #expect(total.sequenceInstructionsDone * 100 > total.sequenceInstructions * 95)
            #expect(total.sequencesDone * 10 > total.sequences * 9)
            #expect(total.instructionsFaulted > 100, "exceptions are compared too")
        }

        /// The processor that runs the tests is the judge over what Unicorn is excused from: if it is of the maker whose
        /// choices, where the SDM leaves some, are known. `make differential JUDGE=native` asks any.
        @Test(
            .enabled(
                if: NativeEngine()?.name.hasPrefix("AMD") ?? false,
                "needs an AMD processor, and vm.mmap_min_addr of 4096 or root"))
        func randomInstructionsAndSequencesAreAsOnThisProcessor() throws {
            let differential = Differential(seed: Self.seed, judge: .native)
            let total = run(differential, instructions: 24_000, sequences: 2_400)
            #expect(total.instructionsDone * 10 > total.instructions * 9)
            #expect(total.sequenceInstructionsDone * 100 > total.sequenceInstructions * 95)
        }

        private func run(_ differential: Differential, instructions: UInt64, sequences: UInt64) -> Tally {
            print(
                "X86 against \(differential.judgeName ?? "nothing"): \(instructions) instructions, \(sequences) sequences, seed \(Self.seed)"
            )
            for index in 0..<instructions { differential.instruction(index) }
            for index in 0..<sequences { differential.sequence(index) }
            for failure in differential.failures { Issue.record("\(failure)") }
            let total = differential.modes.compactMap { differential.tallies[$0] }.reduce(Tally(), +)
            #expect(total.instructions == instructions && total.sequences == sequences)
            return total
        }
    }
#endif
