// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Rows of columns for a terminal: each column as wide as its widest cell, numbers to the right.
public struct TextTable: Sendable {
    public enum Alignment: Sendable { case left, right }

    public let header: [String]
    private let alignments: [Alignment]
    public private(set) var rows: [[String]] = []

    /// - Parameter alignments: one for each column; columns beyond are aligned to the left.
    public init(_ header: [String], _ alignments: [Alignment] = []) {
        self.header = header
        self.alignments = alignments
    }

    /// Adds a row; cells that are missing are empty.
    public mutating func add(_ cells: [String]) {
        precondition(cells.count <= header.count, "a row of \(cells.count) cells in a table of \(header.count) columns")
        rows.append(cells + Array(repeating: "", count: header.count - cells.count))
    }

    /// The lines of the table, without blanks at their ends: the header, unless all of it is empty, then the rows.
    public func lines(indent: Int = 0) -> [String] {
        let shown = (header.allSatisfy(\.isEmpty) ? [] : [header]) + rows
        let widths = header.indices.map { column in shown.map { $0[column].count }.max() ?? 0 }
        return shown.map { row in
            var line = String(repeating: " ", count: indent)
            for (column, cell) in row.enumerated() {
                let pad = String(repeating: " ", count: widths[column] - cell.count)
                let right = column < alignments.count && alignments[column] == .right
                line += (right ? pad + cell : cell + pad) + "  "
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

/// `1,234,567`
public func grouped(_ number: UInt64) -> String {
    var text = ""
    for (index, digit) in String(number).reversed().enumerated() {
        if index > 0, index % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return String(text.reversed())
}
