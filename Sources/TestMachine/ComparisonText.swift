// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// A comparison as people read it, side by side.
public struct ComparisonText {
    private let comparison: Comparison
    /// Exits listed before the rest is only counted.
    private let exitLimit: Int

    public init(_ comparison: Comparison, exitLimit: Int = 40) {
        self.comparison = comparison
        self.exitLimit = exitLimit
    }

    /// Everything: what was printed, how it ended, exits, registers, memory, cost.
    public var lines: [String] {
        let (left, right) = (comparison.left, comparison.right)
        guard let one = left.outcome, let other = right.outcome else { return failureLines }
        var table = TextTable(["", left.device, right.device, ""])
        func add(_ what: String, _ left: String, _ right: String) {
            table.add([what, left, right, left == right ? "" : "<- differs"])
        }
        add("printed", quoted(one.output), quoted(other.output))
        add("end", one.end.description, other.end.description)
        add("exits", "\(one.exits.count)", "\(other.exits.count)")
        let names = Set(one.exitCounts.keys).union(other.exitCounts.keys).sorted()
        for name in names { add("  \(name)", "\(one.exitCounts[name] ?? 0)", "\(other.exitCounts[name] ?? 0)") }
        for (part, twin) in zip(one.state, other.state) { add(part.name, part.value, twin.value) }
        for (slot, twin) in zip(one.slots, other.slots) {
            add("slot \(slot.slot) digest", hex(FNV1a.digest(slot)), hex(FNV1a.digest(twin)))
        }
        table.add(["ticks", grouped(one.ticks), grouped(other.ticks), ratio(one.ticks, other.ticks)])
        for name in names {
            let (mine, theirs) = (one.medianTicks(name), other.medianTicks(name))
            table.add([
                "  \(name) median", mine.map(grouped) ?? "-", theirs.map(grouped) ?? "-",
                mine.flatMap { mine in theirs.map { ratio(mine, $0) } } ?? "",
            ])
        }
        return table.lines(indent: 2) + exitLines(one, other) + differenceLines + expectationLines
    }

    /// `x 0.93`: the second device's cost in units of the first one's.
    private func ratio(_ left: UInt64, _ right: UInt64) -> String {
        left == 0 ? "" : "x \(fixed(Double(right) / Double(left)))"
    }

    private func exitLines(_ one: Outcome, _ other: Outcome) -> [String] {
        var table = TextTable(
            ["exit", comparison.left.device, "ticks", comparison.right.device, "ticks", ""],
            [.right, .left, .right, .left, .right])
        let count = max(one.exits.count, other.exits.count)
        for index in 0..<min(count, exitLimit) {
            let mine = index < one.exits.count ? one.exits[index] : nil
            let theirs = index < other.exits.count ? other.exits[index] : nil
            table.add([
                "\(index)", mine?.description ?? "-", mine.map { grouped($0.ticks) } ?? "-", theirs?.description ?? "-",
                theirs.map { grouped($0.ticks) } ?? "-", mine?.description == theirs?.description ? "" : "<- differs",
            ])
        }
        return table.lines(indent: 2) + (count > exitLimit ? ["  ... and \(count - exitLimit) more exits"] : [])
    }

    /// Only what is wrong.
    public var problemLines: [String] { failureLines + differenceLines + expectationLines }

    /// What differs, one line each; nothing when all is the same.
    public var differenceLines: [String] {
        comparison.differences.map {
            "  differs: \($0.what): \($0.left) on \(comparison.left.device), \($0.right) on \(comparison.right.device)"
        }
    }

    /// What is not as expected.
    public var expectationLines: [String] {
        [comparison.left, comparison.right].flatMap { run in
            run.failures.map { "  not as expected on \(run.device): \($0)" }
        }
    }

    private var failureLines: [String] {
        [comparison.left, comparison.right].compactMap { run in
            if case .failure(let error) = run.result { "  failed: \(error)" } else { nil }
        }
    }
}

/// A number with two digits behind the point.
public func fixed(_ value: Double) -> String {
    guard value.isFinite, value < 1e15 else { return "-" }
    let hundredths = UInt64((value * 100).rounded())
    let rest = hundredths % 100
    return "\(grouped(hundredths / 100)).\(rest < 10 ? "0" : "")\(rest)"
}
