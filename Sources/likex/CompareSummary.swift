// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import TestMachine

/// The table under all comparisons: a row for each guest.
struct CompareSummary {
    private var table: TextTable
    private var verdicts: [String] = []
    private let hasRatio: Bool
    private let columns: Int

    init(devices: [String]) {
        // The cost of the second in units of the first's is for pairs only.
        hasRatio = devices.count == 2
        columns = devices.count
        let ticks = devices.map { "ticks on \($0)" } + (hasRatio ? ["ratio"] : [])
        table = TextTable(
            ["guest", "end", "exits"] + ticks + ["verdict"],
            [.left, .left, .right] + ticks.map { _ in .right } + [.left])
    }

    /// - Parameter comparisons: of the first run with each of the others.
    mutating func add(_ guest: Guest, _ runs: [Comparison.Run], _ comparisons: [Comparison]) {
        let outcomes = runs.map(\.outcome)
        var ticks = outcomes.map { $0.map { grouped($0.ticks) } ?? "-" }
        if hasRatio { ticks.append(ratio(outcomes[0]?.ticks, outcomes[1]?.ticks)) }
        let verdict = comparisons.map(\.verdict).first { $0 != .same } ?? .same
        table.add(
            [guest.name, all(outcomes.map { $0?.end.name }), all(outcomes.map { $0.map { "\($0.exits.count)" } })]
                + ticks + [verdict.rawValue])
        verdicts.append(verdict.rawValue)
    }

    mutating func skip(_ guest: Guest, _ missing: [String]) {
        let nothing = [String](repeating: "-", count: 2 + columns + (hasRatio ? 1 : 0))
        table.add([guest.name] + nothing + ["skipped: no \(missing.joined(separator: ", "))"])
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

    /// One text if all are the same, else each.
    private func all(_ texts: [String?]) -> String {
        let shown = texts.map { $0 ?? "-" }
        return Set(shown).count == 1 ? shown[0] : shown.joined(separator: "/")
    }

    private func ratio(_ left: UInt64?, _ right: UInt64?) -> String {
        guard let left, let right, left > 0 else { return "-" }
        return fixed(Double(right) / Double(left))
    }
}
