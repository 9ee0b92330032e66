// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import X86Differential

#if canImport(CUnicorn)
    /// The command line.
    struct Options {
        static let usage = """
            usage: x86-differential [--instructions N] [--sequences N] [--seed N] [--judge unicorn|native] [--failures N]
              Compares the X86 interpreter with Unicorn, or with this machine's own processor (64-bit code only).
              N instructions (2000000) and sequences (200000) from a seed (of the clock unless given); after so many
              differences (20) it gives up. Ends with 0 when there was no difference, 1 when there was, 2 on bad usage.
            """
        var instructions: UInt64 = 2_000_000
        var sequences: UInt64 = 200_000
        var seed = UInt64(time(nil)) % 1_000_000
        var judge = Differential.Judge.unicorn
        var failures: UInt64 = 20

        mutating func read(_ arguments: ArraySlice<String>) {
            var rest = arguments
            while let name = rest.popFirst() {
                if name == "--help" || name == "-h" {
                    print(Self.usage)
                    exit(0)
                }
                guard let value = rest.popFirst() else { refuse("\(name) needs a value") }
                switch name {
                case "--instructions": instructions = number(name, value)
                case "--sequences": sequences = number(name, value)
                case "--seed": seed = number(name, value)
                case "--failures": failures = number(name, value)
                case "--judge":
                    guard let known = Differential.Judge(rawValue: value) else {
                        refuse("--judge \(value): unicorn or native")
                    }
                    judge = known
                default: refuse("unknown option \(name)")
                }
            }
        }

        private func number(_ name: String, _ text: String) -> UInt64 {
            guard let value = UInt64(text) else { refuse("\(name) \(text): not a number") }
            return value
        }

        private func refuse(_ text: String) -> Never {
            tell("x86-differential: \(text)\n\(Self.usage)\n")
            exit(2)
        }
    }
#endif
