// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import TestMachine

/// The table under all comparisons: a row for each guest.
struct CompareSummary {
    private var table: TextTable
    private var verdicts: [String] = []

    init(devices: [String]) {
        table = TextTable(
            ["guest", "end", "exits", "ticks on \(devices[0])", "ticks on \(devices[1])", "ratio", "verdict"],
            [.left, .left, .right, .right, .right, .right, .left])
    }

    mutating func add(_ comparison: Comparison) {
        let one = comparison.left.outcome
        let other = comparison.right.outcome
        let ends = both(one?.end.name, other?.end.name)
        let exits = both(one.map { "\($0.exits.count)" }, other.map { "\($0.exits.count)" })
        table.add([
            comparison.guest.name, ends, exits, one.map { grouped($0.ticks) } ?? "-",
            other.map { grouped($0.ticks) } ?? "-", ratio(one?.ticks, other?.ticks), comparison.verdict.rawValue,
        ])
        verdicts.append(comparison.verdict.rawValue)
    }

    mutating func skip(_ guest: Guest, _ missing: [String]) {
        table.add([guest.name, "-", "-", "-", "-", "-", "skipped: no \(missing.joined(separator: ", "))"])
        verdicts.append("skipped")
    }

    func print() {
        let lines = table.lines()
        Console.print(Console.coloured(lines[0], .bold))
        for (line, verdict) in zip(lines.dropFirst(), verdicts) {
            Console.print(
                verdict == "same" ? line : Console.coloured(line, verdict == "skipped" ? .yellow : .red))
        }
        let kinds = Comparison.Verdict.allCases.map(\.rawValue) + ["skipped"]
        let counts = kinds.compactMap { kind in
            let count = verdicts.filter { $0 == kind }.count
            return count > 0 ? "\(count) \(kind)" : nil
        }
        let good = verdicts.allSatisfy { $0 == "same" || $0 == "skipped" }
        let count = "\(verdicts.count) guest\(verdicts.count == 1 ? "" : "s")"
        Console.print("\n\(count): " + Console.coloured(counts.joined(separator: ", "), good ? .green : .red))
    }

    private func both(_ left: String?, _ right: String?) -> String {
        left == right ? left ?? "-" : "\(left ?? "-")/\(right ?? "-")"
    }

    private func ratio(_ left: UInt64?, _ right: UInt64?) -> String {
        guard let left, let right, left > 0 else { return "-" }
        return fixed(Double(right) / Double(left))
    }
}
