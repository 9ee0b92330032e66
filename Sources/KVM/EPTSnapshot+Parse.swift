// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI

/// A text that is not what LiKeX's file of page tables holds.
public struct EPTFormatError: Error, Equatable, CustomStringConvertible {
    public let line: Int
    public let problem: String

    public var description: String { "line \(line): \(problem)" }
}

extension EPTSnapshot {
    /// Where LiKeX's module shows the page tables of all VMs.
    public static let path = LIKEX_EPT_PATH

    /// Reads what that file holds; uapi/likex.h has the format.
    public static func parse(_ text: String) throws(EPTFormatError) -> [EPTSnapshot] {
        var reader = Reader()
        for line in text.split(separator: "\n") { try reader.read(line.split(separator: " ")) }
        return try reader.finish()
    }

    private struct Reader {
        private var line = 0
        private var snapshots: [EPTSnapshot] = []
        private var head: EPTSnapshot?
        private var entries: [EPTEntry] = []
        /// What the table of each level that was last named maps: entries must lie there.
        private var open: [Int: Range<UInt64>] = [:]
        private var next: UInt64 = 0

        mutating func read(_ words: [Substring]) throws(EPTFormatError) {
            line += 1
            if line == 1 {
                guard words.first == "likex-ept" else { throw fail("this is not LiKeX's file of page tables") }
                guard words.count == 2, words[1] == "\(LIKEX_EPT_FORMAT)" else {
                    throw fail(
                        "version \(words.dropFirst().joined()) of the format; this program knows \(LIKEX_EPT_FORMAT)")
                }
                return
            }
            switch (words.first, head) {
            case ("vm", nil): try begin(words)
            case ("table", .some), ("leaf", .some): try add(words)
            case ("end", .some(let head)) where words.count == 1: end(head, isComplete: true)
            case ("gone", .some(let head)) where words.count == 1: end(head, isComplete: false)
            default: throw fail("'\(words.joined(separator: " "))' has no meaning here")
            }
        }

        func finish() throws(EPTFormatError) -> [EPTSnapshot] {
            guard line > 0 else { throw fail("the file is empty") }
            guard head == nil else { throw fail("the last VM has no end") }
            return snapshots
        }

        private mutating func begin(_ words: [Substring]) throws(EPTFormatError) {
            guard words.count == 10, words[2] == "pid", words[4] == "frames", words[6] == "tables", words[8] == "ad"
            else {
                throw fail("'\(words.joined(separator: " "))' does not begin a VM")
            }
            let frames = try number(words[5])
            guard frames > 0, frames <= 1 << 36 else { throw fail("\(words[5]) frames: 1 to 2^36 are possible") }
            guard let process = Int32(words[3]) else { throw fail("'\(words[3])' is no process") }
            head = EPTSnapshot(
                id: try number(words[1]), process: process, frames: frames, tables: try number(words[7]),
                hasAccessDirty: try number(words[9]) == 1, entries: [])
            entries = []
            open = [4: 0..<EPTEntry.span(5)]
            next = 0
        }

        private mutating func add(_ words: [Substring]) throws(EPTFormatError) {
            guard words.count == 5 else { throw fail("an entry has five words, not \(words.count)") }
            let isLeaf = words[0] == "leaf"
            let level = try number(words[1])
            let count = try number(words[3])
            guard isLeaf ? 1...3 ~= level : 2...4 ~= level else { throw fail("a \(words[0]) of level \(level)") }
            guard isLeaf ? 1...512 ~= count : count == 1 else { throw fail("a \(words[0]) of \(count) entries") }
            let entry = EPTEntry(
                level: Int(level), address: GuestAddress(try number(words[2])), count: Int(count),
                bits: try number(words[4]), isLeaf: isLeaf)
            let start = entry.address.rawValue
            guard start % EPTEntry.span(entry.level) == 0 else {
                throw fail("\(entry.address) is not where an entry begins")
            }
            guard let table = open[entry.level], table.contains(start), table.contains(start + entry.size - 1) else {
                throw fail("\(entry.address) of level \(level) is in no table")
            }
            guard start >= next else { throw fail("\(entry.address) comes after higher addresses") }
            next = isLeaf ? entry.end : start
            if !isLeaf { open[entry.level - 1] = start..<entry.end }
            entries.append(entry)
        }

        private mutating func end(_ head: EPTSnapshot, isComplete: Bool) {
            snapshots.append(
                EPTSnapshot(
                    id: head.id, process: head.process, frames: head.frames, tables: head.tables,
                    hasAccessDirty: head.hasAccessDirty, isComplete: isComplete, entries: entries))
            self.head = nil
        }

        /// 0x1f or 31, as the kernel prints them.
        private func number(_ word: Substring) throws(EPTFormatError) -> UInt64 {
            let value = word.hasPrefix("0x") ? UInt64(word.dropFirst(2), radix: 16) : UInt64(word, radix: 10)
            guard let value, value < 1 << 62 || word.hasPrefix("0x") else { throw fail("'\(word)' is no number") }
            return value
        }

        private func fail(_ problem: String) -> EPTFormatError { EPTFormatError(line: max(line, 1), problem: problem) }
    }
}
