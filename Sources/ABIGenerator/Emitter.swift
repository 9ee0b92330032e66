// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Turns one table into one Swift file.
public struct Emitter: Sendable {
    /// The table's file name: `ioctls.def`.
    public let table: String
    let macro: String
    let columns: Int
    let more: Bool
    let body: @Sendable (Table) throws(TableError) -> String

    /// Every table that Swift has a view of.
    public static let all = [ioctls, capabilities, kvmExits, vmcsFields, exitReasons, controlBits, msrs]

    /// The Swift source made of the table's text.
    public func swift(from text: String) throws(TableError) -> String {
        let rows = try Table(text: text, file: table, macro: macro, columns: columns, more: more)
        return "// Made by generate-abi of kmod/include/tables/\(table): edit the table, not this.\n\n"
            + (try body(rows))
    }
}

extension Table {
    /// An enum whose cases are this table's rows, with a value each that C's compiler evaluated.
    ///
    /// - Parameter constant: the name of C's constant for a row.
    func enumOverConstants(
        type: String, about: String, property: String, prefix: String, constant: String
    ) throws(TableError) -> String {
        let name = { (row: Row) in swiftName(row.columns[0], dropping: prefix) }
        try checkUnique(name)
        return """
            import CKVMABI

            /// \(about)
            public enum \(type): CaseIterable, Hashable, Sendable {
            \(lines { "    case \(name($0))" })

                /// The number in C.
                public var \(property): UInt32 {
                    switch self {
            \(lines { "        case .\(name($0)): \(constant)\($0.columns[0])" })
                    }
                }

                /// The name in C.
                public var name: String {
                    switch self {
            \(lines { "        case .\(name($0)): \"\($0.columns[0])\"" })
                    }
                }

                /// The case of a number, if the table has it.
                public init?(\(property) value: UInt32) {
                    guard let found = Self.allCases.first(where: { $0.\(property) == value }) else { return nil }
                    self = found
                }
            }

            """
    }

    /// An enum whose raw values are the numbers in a column.
    func enumOfNumbers(
        type: String, about: String, raw: String, column: Int, prefix: String = "", extra: String = "",
        rows only: (Row) -> Bool = { _ in true }
    ) throws(TableError) -> String {
        let chosen = rows.filter(only)
        var cases: [String] = []
        for row in chosen {
            cases.append("    case \(swiftName(row.columns[0], dropping: prefix)) = \(hex(try number(row, column)))")
        }
        let names = chosen.map { row in
            "        case .\(swiftName(row.columns[0], dropping: prefix)): \"\(row.columns[0])\""
        }
        return """
            /// \(about)
            public enum \(type): \(raw), CaseIterable, Hashable, Sendable {
            \(cases.joined(separator: "\n"))

                /// The name in C.
                public var name: String {
                    switch self {
            \(names.joined(separator: "\n"))
                    }
                }
            \(extra)}

            """
    }

    func lines(_ line: (Row) -> String) -> String { rows.map(line).joined(separator: "\n") }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
