// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestRandom
#if canImport(CUnicorn)

    /// Makes cases, runs them on the interpreter and on Unicorn, and counts and tells what comes of it.
    package final class Differential {
        package enum Judge: String, Sendable { case unicorn, native }

        private let seed: UInt64
        private let judge: Judge
        private let native: NativeEngine?
        private var unicorn: [CaseMode: UnicornEngine] = [:]
        package private(set) var tallies: [CaseMode: Tally] = [:]
        package private(set) var known: [String: Int] = [:]
        package private(set) var failures: [String] = []
        private let excuses: [KnownDifference]
        private var maker: [CaseMode: CaseMaker] = [:]

        /// - Parameter judge: what the interpreter is compared with; `native` runs 64-bit cases only.
        package init(seed: UInt64, judge: Judge = .unicorn) {
            self.seed = seed
            self.judge = judge
            excuses = judge == .unicorn ? KnownDifferences.unicorn : KnownDifferences.native
            native = judge == .native ? NativeEngine() : nil
            for mode in modes {
                tallies[mode] = Tally()
                maker[mode] = CaseMaker(mode, excuses: excuses)
            }
        }

        package var modes: [CaseMode] { judge == .native ? [.bits64] : CaseMode.allCases }
        /// The other engine's name and version, or nil where it can't be had.
        package var judgeName: String? { judge == .native ? native?.name : "Unicorn \(UnicornEngine.version)" }

        /// Runs a case of one instruction; a case is decided by the seed and its number.
        package func instruction(_ index: UInt64) {
            var generator = Generator(seed: mixed(index, 1))
            let mode = modes[Int(index % UInt64(modes.count))]
            guard let (test, result) = maker[mode]?.single(&generator) else { return }
            check(test, result, "instruction \(index)") { tally, outcome in
                tally.instructions += 1
                switch outcome {
                case .same:
                    if result.end == .done { tally.instructionsDone += 1 } else { tally.instructionsFaulted += 1 }
                case .known: tally.instructionsKnown += 1
                case .different: tally.differences += 1
                }
            }
        }

        /// Runs a case of several instructions.
        package func sequence(_ index: UInt64) {
            var generator = Generator(seed: mixed(index, 2))
            let mode = modes[Int(index % UInt64(modes.count))]
            guard let made = maker[mode]?.sequence(&generator) else { return }
            check(made.test, made.result, "sequence \(index)") { tally, outcome in
                tally.sequences += 1
                tally.sequenceInstructions += UInt64(made.test.instructions.count)
                tally.sequenceInstructionsDone += UInt64(made.retired)
                if outcome == .same && made.result.end == .done { tally.sequencesDone += 1 }
                if outcome == .different { tally.differences += 1 }
            }
        }

        private func mixed(_ index: UInt64, _ kind: UInt64) -> UInt64 {
            var random = Random(seed: seed &* 4 &+ kind)
            return random.next() &+ index &* 0x1_0000_0001
        }

        private enum Verdict { case same, known, different }

        private func check(
            _ test: Case, _ ours: EngineResult, _ name: String, _ count: (inout Tally, Verdict) -> Void
        ) {
            var tally = tallies[test.mode] ?? Tally()
            defer { tallies[test.mode] = tally }
            switch compare(test, ours) {
            case .same: count(&tally, .same)
            case .known(let name):
                known[name, default: 0] += 1
                count(&tally, .known)
            case .different:
                count(&tally, .different)
                failures.append("seed \(seed), \(name): " + report(test))
            }
        }

        private func theirs(_ test: Case) -> EngineResult? {
            if judge == .native { return native?.run(test) }
            if let engine = unicorn[test.mode], engine.runs < UnicornEngine.mostRuns { return engine.run(test) }
            let engine = UnicornEngine(test.mode)
            unicorn[test.mode] = engine
            return engine.run(test)
        }

        private func compare(_ test: Case, _ ours: EngineResult) -> Comparison {
            guard let theirs = theirs(test) else { return .different("there is no \(judge.rawValue) engine") }
            return Comparison(test, ours, theirs, excuses: excuses)
        }

        /// The difference of a case that is made anew from its parts, or nil.
        private func difference(_ test: Case) -> String? {
            guard let ours = maker[test.mode]?.run(test) else { return nil }
            if case .different(let text) = compare(test, ours) { return text }
            return nil
        }

        /// All that is needed to see a difference again.
        private func report(_ original: Case) -> String {
            let test = Shrinker.least(original) { self.difference($0) != nil }
            return Shrinker.describe(
                test, difference(test) ?? "it was there once, and is gone when the case is run again")
        }
    }
#endif
