// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import TestMachine

/// A report as people read it: a row for each figure.
public struct BenchTable {
    public let table: TextTable
    /// Whether the figure of each row meets its target; nil where it has none.
    public let verdicts: [Bool?]
    /// Under the table: what couldn't be measured, what isn't offered, and the method.
    public let foot: [String]

    public init(_ report: BenchReport) {
        let isPair = report.devices.count == 2
        let paths = report.devices.map(\.path)
        var table = TextTable(
            ["", "unit"] + paths + (isPair ? ["ratio"] : []) + ["target", ""],
            [.left, .left] + paths.map { _ in .right } + (isPair ? [.right] : []) + [.left, .left])
        var verdicts: [Bool?] = []
        for name in report.names {
            let all = report.devices.map { $0.measurement(name) }
            guard let any = all.compactMap({ $0 }).first else { continue }
            let verdict = report.verdict(name)
            let ratio = isPair ? [Self.ratio(all[0]?.value, all[1]?.value)] : []
            table.add(
                [any.title, any.unit.rawValue] + all.map(Self.cell) + ratio
                    + [verdict.map { Self.text($0.target, any.unit) } ?? "", Self.text(verdict)])
            verdicts.append(verdict?.isMet)
        }
        self.table = table
        self.verdicts = verdicts
        let problems = report.devices.flatMap { device in device.problems.map { "\(device.path): \($0)" } }
        let lacking = report.devices.flatMap { device in
            device.measurements.compactMap { measurement in
                measurement.unsupported.map { "\(device.path): \(measurement.title): \($0)" }
            }
        }
        foot = problems + lacking + report.method
    }

    private static func cell(_ measurement: Measurement?) -> String {
        guard let measurement else { return "-" }
        return measurement.value.map { number($0, measurement.unit) } ?? "unsupported"
    }

    /// Memory and counts have a digit or two behind the point, the rest has none.
    public static func number(_ value: Double, _ unit: Measurement.Unit) -> String {
        let sign = value < 0 ? "-" : ""
        let size = abs(value)
        guard size < 1e15 else { return "-" }
        switch unit {
        case .ticks, .bytes: return sign + grouped(UInt64(size.rounded()))
        case .kibibytes, .count: return sign + fixed(size)
        }
    }

    private static func ratio(_ left: Double?, _ right: Double?) -> String {
        guard let left, let right, left > 0, right >= 0 else { return "-" }
        return fixed(right / left)
    }

    private static func text(_ target: Target, _ unit: Measurement.Unit) -> String {
        switch target {
        case .atMost(let most): "<= \(grouped(UInt64(most)))"
        case .percentOfOther(let percent): "<= \(Int(percent)) % of the other's"
        case .near(_, let percent): "within \(Int(percent)) % of beside one"
        }
    }

    private static func text(_ verdict: (target: Target, isMet: Bool?)?) -> String {
        guard let verdict else { return "" }
        return verdict.isMet.map { $0 ? "met" : "missed" } ?? "not known"
    }
}
