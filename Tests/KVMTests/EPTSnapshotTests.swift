// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import Testing

@Suite("What LiKeX's file of page tables says")
struct EPTSnapshotTests {
    private static let two = """
        likex-ept 1
        vm 3 pid 812 frames 0x8000000 tables 5 ad 1
        table 4 0x0 1 0x107
        table 3 0x0 1 0x107
        table 2 0x0 1 0x107
        leaf 1 0x0 2 0x377
        leaf 1 0x5000 1 0x175
        leaf 2 0x200000 1 0xf3
        table 2 0x600000 1 0x7
        leaf 1 0x600000 512 0x77
        end
        vm 4 pid 900 frames 0x1000000 tables 1 ad 0
        gone
        """

    @Test func twoVMs() throws {
        let snapshots = try EPTSnapshot.parse(Self.two)
        #expect(snapshots.map(\.id) == [3, 4] && snapshots.map(\.process) == [812, 900])
        #expect(snapshots.map(\.isComplete) == [true, false] && snapshots.map(\.hasAccessDirty) == [true, false])
        let first = snapshots[0]
        #expect(first.end == 1 << 39 && first.tables == 5)
        #expect(first.mappedPages == 516 && first.mappedBytes == 515 << 12 + 2 << 20)
        #expect(first.entries.map(\.level) == [4, 3, 2, 1, 1, 2, 2, 1])
        #expect(
            first.entries[3] == EPTEntry(level: 1, address: GuestAddress(0), count: 2, bits: 0x377, isLeaf: true))
        #expect(first.entries.map(\.permissions) == ["rwx", "rwx", "rwx", "rwx", "r-x", "rw-", "rwx", "rwx"])
        #expect(snapshots[1].entries.isEmpty)
    }

    @Test("no VM at all is no error")
    func none() throws { #expect(try EPTSnapshot.parse("likex-ept 1\n").isEmpty) }

    /// What is wrong, and the lines after `vm ...` that are.
    static let wrong: [(String, String)] = [
        ("leaf 1 0x0 1 0x7", "is in no table"),
        ("table 4 0x1000 1 0x7", "is not where an entry begins"),
        ("table 4 0x0 2 0x7", "a table of 2 entries"),
        ("table 1 0x0 1 0x7", "a table of level 1"),
        ("leaf 4 0x0 1 0x7", "a leaf of level 4"),
        ("leaf 5 0x0 1 0x7", "a leaf of level 5"),
        ("table 4 0x0 1", "five words, not 4"),
        ("table 4 0x0 1 rwx", "'rwx' is no number"),
        ("table 4 0xffffff8000000000 1 0x7", "is in no table"),
        ("table 4 0x0 1 0x7\ntable 3 0x40000000 1 0x7\ntable 3 0x0 1 0x7", "comes after higher addresses"),
        ("table 4 0x0 1 0x7\nleaf 3 0x7fc0000000 2 0x87", "is in no table"),
        ("vm 1 pid 2 frames 0x1 tables 1 ad 0", "has no meaning here"),
        ("hello", "'hello' has no meaning here"),
        ("table 4 0x0 1 0x7", "the last VM has no end"),
    ]

    @Test(arguments: wrong) func malformed(_ lines: String, _ problem: String) {
        let text = "likex-ept 1\nvm 1 pid 2 frames 0x8000000 tables 1 ad 1\n\(lines)"
        let error = #expect(throws: EPTFormatError.self) { try EPTSnapshot.parse(text) }
        #expect(error?.problem.contains(problem) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        ("", "the file is empty"), ("hello", "this is not LiKeX's file"), ("likex-ept 2", "version 2 of the format"),
        ("likex-ept 1\nend", "has no meaning here"), ("likex-ept 1\nvm 1", "does not begin a VM"),
        ("likex-ept 1\nvm 1 pid 2 frames 0x0 tables 1 ad 1", "0x0 frames"),
        ("likex-ept 1\nvm 1 pid x frames 0x1 tables 1 ad 1", "'x' is no process"),
    ]) func malformedFile(_ text: String, _ problem: String) {
        let error = #expect(throws: EPTFormatError.self) { try EPTSnapshot.parse(text) }
        #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
    }
}
