// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// An X-macro table: rows of one macro, each with the same number of columns or more.
public struct Table: Equatable, Sendable {
    public struct Row: Equatable, Sendable {
        public let columns: [String]
        public let line: Int

        public init(columns: [String], line: Int) {
            self.columns = columns
            self.line = line
        }
    }

    public let file: String
    public let rows: [Row]

    /// Reads `MACRO(column, column, ...)` lines; `//` and `/* */` comments and blank lines are skipped.
    ///
    /// - Parameters:
    ///   - file: the name that errors carry.
    ///   - columns: how many columns a row must have; with `more`, at least so many.
    public init(text: String, file: String, macro: String, columns: Int, more: Bool = false) throws(TableError) {
        var rows: [Row] = []
        var inComment = false
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let code = Self.strip(line, inComment: &inComment)
            if code.isEmpty { continue }
            func error(_ message: String) -> TableError { TableError(file: file, line: index + 1, message: message) }

            guard let open = code.firstIndex(of: "("), code[..<open].trimmed == macro else {
                throw error("expected \(macro)(...), found '\(code)'")
            }
            guard code.last == ")" else { throw error("expected ')' at the end of '\(code)'") }
            let inside = code[code.index(after: open)...].dropLast()
            let found = inside.split(separator: ",", omittingEmptySubsequences: false).map { String($0.trimmed) }
            guard found.count == columns || (more && found.count > columns) else {
                throw error("\(macro) has \(columns) columns\(more ? " or more" : ""), found \(found.count)")
            }
            guard let name = found.first, !found.contains("") else { throw error("a column of \(macro) is empty") }
            if let bad = name.first(where: { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_")) }) {
                throw error("'\(name)' is not a name: it has '\(bad)' in it")
            }
            rows.append(Row(columns: found, line: index + 1))
        }
        guard !rows.isEmpty else { throw TableError(file: file, line: 1, message: "no \(macro) in this table") }
        self.file = file
        self.rows = rows
    }

    /// The line without its comments and outer blanks.
    private static func strip(_ line: Substring, inComment: inout Bool) -> String {
        var kept = ""
        var rest = line
        while let first = rest.first {
            if inComment {
                if rest.hasPrefix("*/") {
                    inComment = false
                    rest = rest.dropFirst(2)
                } else {
                    rest = rest.dropFirst()
                }
            } else if rest.hasPrefix("/*") {
                inComment = true
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("//") {
                break
            } else {
                kept.append(first)
                rest = rest.dropFirst()
            }
        }
        return String(Substring(kept).trimmed)
    }
}

extension Substring {
    /// Without blanks at either end.
    var trimmed: Substring {
        var text = self
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        return text
    }
}
