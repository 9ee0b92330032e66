// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The tables whose numbers are the SDM's, written in the table itself.
extension Emitter {
    static let vmcsFields = Emitter(table: "vmcs_fields.def", macro: "LKX_VMCS_FIELD", columns: 4, more: false) {
        (table) throws(TableError) in
        try table.checkUnique { swiftName($0.columns[0]) }
        let widths = ["16": "bits16", "32": "bits32", "64": "bits64", "NATURAL": "natural"]
        let accesses = ["RW": "readWrite", "RO": "readOnly"]
        for row in table.rows {
            if widths[row.columns[2]] == nil {
                throw TableError(
                    file: table.file, line: row.line,
                    message: "width '\(row.columns[2])' is none of 16, 32, 64, NATURAL")
            }
            if accesses[row.columns[3]] == nil {
                throw TableError(
                    file: table.file, line: row.line, message: "access '\(row.columns[3])' is neither RW nor RO")
            }
        }
        let extra = """

                /// How wide the field is.
                public var width: VMCSFieldWidth {
                    switch self {
            \(table.lines { "        case .\(swiftName($0.columns[0])): .\(widths[$0.columns[2]] ?? "")" })
                    }
                }

                /// Whether software may write it.
                public var access: VMCSFieldAccess {
                    switch self {
            \(table.lines { "        case .\(swiftName($0.columns[0])): .\(accesses[$0.columns[3]] ?? "")" })
                    }
                }

            """
        return try table.enumOfNumbers(
            type: "VMCSField", about: "A field of the VMCS by its encoding. SDM vol. 3, appendix B.", raw: "UInt32",
            column: 1, extra: extra)
    }

    static let exitReasons = Emitter(table: "exit_reasons.def", macro: "LKX_EXIT_REASON", columns: 2, more: false) {
        (table) throws(TableError) in
        try table.checkUnique { swiftName($0.columns[0]) }
        return try table.enumOfNumbers(
            type: "VMXExitReason", about: "Why the processor left the guest. SDM vol. 3, appendix C.", raw: "UInt16",
            column: 1)
    }

    static let controlBits = Emitter(table: "control_bits.def", macro: "LKX_CONTROL", columns: 3, more: false) {
        (table) throws(TableError) in
        try table.checkUnique { $0.columns[0] + "." + swiftName($0.columns[1]) }
        var groups: [String] = []
        for row in table.rows where !groups.contains(row.columns[0]) { groups.append(row.columns[0]) }
        var text = ""
        for group in groups {
            let named = Table(
                file: table.file,
                rows: table.rows.filter { $0.columns[0] == group }.map {
                    Row(columns: [$0.columns[1], $0.columns[2]], line: $0.line)
                })
            for row in named.rows where try named.number(row, 1) > 63 {
                throw TableError(file: table.file, line: row.line, message: "bit \(row.columns[1]) is above 63")
            }
            text += try named.enumOfNumbers(
                type: "\(capitalized(group))Control", about: "A bit of the \(group) VMX controls, by its number.",
                raw: "UInt8", column: 1,
                extra: "\n    /// The bit as a mask.\n    public var mask: UInt64 { 1 << UInt64(rawValue) }\n")
            text += "\n"
        }
        return text
    }

    static let msrs = Emitter(table: "msrs.def", macro: "LKX_MSR", columns: 2, more: true) {
        (table) throws(TableError) in
        try table.checkUnique { swiftName($0.columns[0]) }
        return try table.enumOfNumbers(
            type: "ModelSpecificRegister", about: "An MSR by its index. SDM vol. 4.", raw: "UInt32", column: 1)
    }
}

extension Table {
    init(file: String, rows: [Row]) {
        self.file = file
        self.rows = rows
    }
}

private typealias Row = Table.Row
