// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// `KVM_EXIT_IRQ_WINDOW_OPEN` without the prefix `KVM_EXIT_`, as Swift writes a name: `irqWindowOpen`.
func swiftName(_ name: String, dropping prefix: String = "") -> String {
    let short = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    let words = short.split(separator: "_").map { $0.lowercased() }
    let joined = (words.first ?? "") + words.dropFirst().map(capitalized).joined()
    return (joined.first?.isNumber ?? true) ? "_" + joined : joined
}

/// `PIN` -> `Pin`.
func capitalized(_ word: String) -> String {
    let lower = word.lowercased()
    return lower.prefix(1).uppercased() + lower.dropFirst()
}

extension Table {
    /// The number in a column, decimal or 0x hexadecimal.
    func number(_ row: Row, _ column: Int) throws(TableError) -> UInt64 {
        let text = row.columns[column]
        let value = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
        guard let value else { throw TableError(file: file, line: row.line, message: "'\(text)' is not a number") }
        return value
    }

    /// Fails if two rows of the table would be the same Swift name.
    func checkUnique(_ name: (Row) -> String) throws(TableError) {
        var seen: [String: Int] = [:]
        for row in rows {
            if let first = seen.updateValue(row.line, forKey: name(row)) {
                throw TableError(
                    file: file, line: row.line, message: "'\(name(row))' is already defined by line \(first)")
            }
        }
    }
}
