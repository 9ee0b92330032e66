// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What the command line asks for.
struct Options {
    /// A line for each case, as it is run.
    var tellsAll = false
    /// How many cases by chance, and from which seed.
    var randomCases = 300
    var seed: UInt64 = 1

    static let usage = "usage: vmx-cases [--all] [--random COUNT] [--seed NUMBER]"

    init(_ arguments: some Sequence<String>) throws(Problem) {
        var words = arguments.makeIterator()
        while let word = words.next() {
            switch word {
            case "--all": tellsAll = true
            case "--random": randomCases = Int(try Self.number(word, words.next()))
            case "--seed": seed = try Self.number(word, words.next())
            default: throw Problem("\(word) is no option; \(Self.usage)")
            }
        }
    }

    private static func number(_ option: String, _ text: String?) throws(Problem) -> UInt64 {
        guard let text, let number = UInt64(text), number < 1 << 32 else {
            throw Problem("\(option) \(text ?? ""): not a whole number; \(usage)")
        }
        return number
    }
}
