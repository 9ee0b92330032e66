// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ABIGenerator
import Testing

@Suite("Tables are read")
struct TableTests {
    private func table(_ text: String, columns: Int = 2, more: Bool = false) throws(TableError) -> Table {
        try Table(text: text, file: "t.def", macro: "M", columns: columns, more: more)
    }

    @Test("rows, blanks and comments")
    func rows() throws {
        let text = "// a comment\n\nM(ONE, 1) // behind\n  M( TWO , 0x2 )\n/* M(NO, 9)\n still */ M(THREE, 3)\n"
        let rows = try table(text).rows
        #expect(rows.map(\.columns) == [["ONE", "1"], ["TWO", "0x2"], ["THREE", "3"]])
        #expect(rows.map(\.line) == [3, 4, 6])
    }

    @Test("more columns, where allowed")
    func more() throws {
        #expect(try table("M(ONE, 1, VMCS, SAVED)", more: true).rows[0].columns.count == 4)
    }

    @Test(
        "errors say the file, the line and what is wrong",
        arguments: [
            ("M(ONE, 1)\nN(TWO, 2)", 2, "expected M(...), found 'N(TWO, 2)'"),
            ("M(ONE, 1", 1, "expected ')' at the end of 'M(ONE, 1'"),
            ("M(ONE)", 1, "M has 2 columns, found 1"),
            ("M(ONE, 1, 2)", 1, "M has 2 columns, found 3"),
            ("M(ONE, )", 1, "a column of M is empty"),
            ("M(O NE, 1)", 1, "'O NE' is not a name: it has ' ' in it"),
            ("// nothing\n", 1, "no M in this table"),
            ("word", 1, "expected M(...), found 'word'"),
        ])
    func errors(_ text: String, _ line: Int, _ message: String) {
        let error = #expect(throws: TableError.self) { try table(text) }
        #expect(error?.description == "t.def:\(line): error: \(message)")
    }
}
