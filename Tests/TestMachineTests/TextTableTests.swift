// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestMachine
import Testing

@Suite("Tables for a terminal")
struct TextTableTests {
    @Test("columns are as wide as their widest cell, numbers to the right, no blanks at the end")
    func aligned() {
        var table = TextTable(["name", "ticks", "verdict"], [.left, .right])
        table.add(["a", "1,000", "same"])
        table.add(["longer", "7"])
        #expect(
            table.lines() == [
                "name    ticks  verdict",
                "a       1,000  same",
                "longer      7",
            ])
    }

    @Test("a header without text is not shown")
    func noHeader() {
        var table = TextTable(["", ""])
        table.add(["a", "b"])
        #expect(table.lines(indent: 2) == ["  a  b"])
    }

    @Test func empty() { #expect(TextTable(["a", "b"]).lines() == ["a  b"]) }
}
