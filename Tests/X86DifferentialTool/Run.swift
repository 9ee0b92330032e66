// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import X86Differential

#if canImport(CUnicorn)
    /// One run, with progress on standard error and a table at the end.
    struct Run {
        private let options: Options
        private let differential: Differential
        private let isTerminal = isatty(STDERR_FILENO) != 0
        private let began = Run.now()

        init(_ options: Options) {
            self.options = options
            differential = Differential(seed: options.seed, judge: options.judge)
        }

        private static func now() -> Double {
            var time = timespec()
            unsafe clock_gettime(CLOCK_MONOTONIC, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }

        /// Runs all and prints the table; whether there was no difference.
        func report() -> Bool {
            guard let judge = differential.judgeName else {
                tell(
                    "x86-differential: no native judge: not x86-64, or address 0x1000 can't be mapped (vm.mmap_min_addr)\n"
                )
                exit(2)
            }
            print(
                "X86 against \(judge): \(grouped(options.instructions)) instructions, \(grouped(options.sequences)) sequences, seed \(options.seed)"
            )
            fflush(nil)
            every(options.instructions, "instructions") { differential.instruction($0) }
            every(options.sequences, "sequences") { differential.sequence($0) }
            for failure in differential.failures { print("difference: \(failure)") }
            table()
            return differential.failures.isEmpty
        }

        private func every(_ count: UInt64, _ what: String, _ body: (UInt64) -> Void) {
            var told = Self.now()
            for index in 0..<count {
                body(index)
                if differential.failures.count >= Int(options.failures) { break }
                guard index & 255 == 0, Self.now() - told > (isTerminal ? 0.5 : 20) else { continue }
                told = Self.now()
                let text =
                    "\(what): \(grouped(index)) of \(grouped(count)), \(differential.failures.count) differences, "
                    + "\(Int(told - began)) s"
                tell(isTerminal ? "\r\u{1B}[K\(text)" : "\(text)\n")
            }
            if isTerminal { tell("\r\u{1B}[K") }
        }

        private func table() {
            let tallies = differential.modes.map { differential.tallies[$0] ?? Tally() }
            let columns = tallies.count > 1 ? tallies + [tallies.reduce(Tally(), +)] : tallies
            let heads = differential.modes.map(\.description) + (tallies.count > 1 ? ["all"] : [])
            print()
            print(pad("", 26) + heads.map { pad($0, 12, right: true) }.joined())
            func row(_ name: String, _ value: (Tally) -> String) {
                print(pad(name, 26) + columns.map { pad(value($0), 12, right: true) }.joined())
            }
            row("single instructions") { grouped($0.instructions) }
            row("  retired, equal") { grouped($0.instructionsDone) }
            row("  same exception") { grouped($0.instructionsFaulted) }
            row("  known difference") { grouped($0.instructionsKnown) }
            row("sequences") { grouped($0.sequences) }
            row("  ran through, equal") { share($0.sequencesDone, $0.sequences) }
            row("  instructions") { grouped($0.sequenceInstructions) }
            row("  of these retired") { share($0.sequenceInstructionsDone, $0.sequenceInstructions) }
            row("differences") { grouped($0.differences) }
            if !differential.known.isEmpty {
                print(
                    "\nknown differences (Tests/X86Differential/KnownDifferences*.swift has the SDM's words on each):"
                )
                for (name, times) in differential.known.sorted(by: { $0.key < $1.key }) {
                    print("  \(pad(grouped(UInt64(times)), 9, right: true))  \(name)")
                }
            }
            let processor = Int(clock() / CLOCKS_PER_SEC)
            let seconds = "\(Int((Self.now() - began).rounded())) s, of them \(processor) s of processor time"
            print("\nseed \(options.seed), \(seconds), \(differential.failures.count) differences")
        }

        private func share(_ part: UInt64, _ whole: UInt64) -> String {
            guard whole > 0 else { return "-" }
            let tenths = part * 1000 / whole
            return "\(tenths / 10).\(tenths % 10) %"
        }

        private func grouped(_ value: UInt64) -> String {
            var digits = Array(String(value))
            var place = digits.count - 3
            while place > 0 {
                digits.insert(",", at: place)
                place -= 3
            }
            return String(digits)
        }

        private func pad(_ text: String, _ width: Int, right: Bool = false) -> String {
            let space = String(repeating: " ", count: max(0, width - text.count))
            return right ? space + text : text + space
        }
    }
#endif
