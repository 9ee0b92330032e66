// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

/// Counts verdicts by group of cases, and tells which differences nobody knew of.
struct Report {
    private struct Row {
        let group: String
        var cases = 0
        var agreed = 0
        var otherProcessor = 0
        var notRun = 0
        var known = 0
        var unknown = 0
        var cells: [String] { [group] + [cases, agreed, otherProcessor, notRun, known, unknown].map { "\($0)" } }
    }

    private static let heads = [
        "cases about", "all", "agree", "other processor", "not run", "known to differ", "differ",
    ]

    private var rows: [Row] = []
    private var lines: [String] = []
    private var unused = Set(KnownDifferences.list.map(\.name))
    private let tellsAll: Bool

    init(tellsAll: Bool) { self.tellsAll = tellsAll }

    mutating func begin(_ group: String) { rows.append(Row(group: group)) }

    /// Runs a case of the group that was begun last.
    mutating func add(_ name: String, _ compare: () throws(Problem) -> Verdict) throws(Problem) {
        guard var row = rows.popLast() else { return }
        if tellsAll { tell("\(row.group): \(name): ", terminator: "") }
        let verdict = try compare()
        row.cases += 1
        switch verdict {
        case .agreed: row.agreed += 1
        case .otherProcessor: row.otherProcessor += 1
        case .notRun(let why):
            row.notRun += 1
            lines.append("not run: \(name): \(why)")
        case .explained: row.known += 1
        case .differed(let model, let machine):
            let known = KnownDifferences.list.first { $0.name == name && machine.hasPrefix($0.machine) }
            if known == nil { row.unknown += 1 } else { row.known += 1 }
            lines.append("\(known == nil ? "UNKNOWN difference" : "known difference"): \(name)")
            lines.append("    model:   \(model)")
            lines.append("    machine: \(machine)")
            if let known {
                lines.append("    because: \(known.reason)")
                unused.remove(name)
            }
        }
        rows.append(row)
        if tellsAll { tell(verdict.text, terminator: "\n") }
    }

    /// Prints at once and waits until it is out: a machine that dies of a case takes along what isn't.
    private func tell(_ text: String, terminator: String) {
        print(text, terminator: terminator)
        fflush(nil)
        tcdrain(STDOUT_FILENO)
    }

    /// Prints all of it; true where nothing is amiss.
    func finish() -> Bool {
        for line in lines { print(line) }
        var total = Row(group: "all")
        for row in rows {
            total.cases += row.cases
            total.agreed += row.agreed
            total.otherProcessor += row.otherProcessor
            total.notRun += row.notRun
            total.known += row.known
            total.unknown += row.unknown
        }
        Self.show([Self.heads] + (rows + [total]).map(\.cells))
        for name in unused.sorted() { print("no longer a difference, take it off the list: \(name)") }
        return total.unknown == 0 && unused.isEmpty && total.agreed > 0
    }

    private static func show(_ table: [[String]]) {
        let widths = heads.indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        for cells in table {
            let padded = cells.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + space : space + cell
            }
            print(padded.joined(separator: "  "))
        }
    }
}
