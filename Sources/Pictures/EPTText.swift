// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM
import TestMachine

/// A VM's extended page tables as a tree in text.
public struct EPTText {
    /// A line that says what it is of, then the tree.
    public let title: String
    public let lines: [String]

    /// - Parameter device: whose VM it is.
    public init(_ snapshot: EPTSnapshot, device: String) {
        title = Self.title(snapshot, device: device)
        var rows = Rows(end: snapshot.end)
        rows.root(EPTTable(snapshot))
        lines = rows.table.lines()
    }

    static func title(_ snapshot: EPTSnapshot, device: String) -> String {
        let width = UInt64.bitWidth - (snapshot.end - 1).leadingZeroBitCount
        return "VM \(snapshot.id) of process \(snapshot.process) on \(device): \(width)-bit addresses, "
            + "\(counted(snapshot.tables, "table")), \(counted(snapshot.mappedPages, "page")) mapped "
            + "(\(bytes(snapshot.mappedBytes))), accessed and dirty bits \(snapshot.hasAccessDirty ? "on" : "off")"
            + (snapshot.isComplete ? "" : "; it ended while it was read")
    }

    private struct Rows {
        var table = TextTable(
            ["table", "guest physical", "size", "rwx", "type", "A/D"], [.left, .left, .right, .left, .left, .left])
        let end: UInt64

        init(end: UInt64) { self.end = end }

        mutating func root(_ root: EPTTable) {
            table.add([root.name, range(0, end), bytes(end)])
            add(root, indent: "")
        }

        private mutating func add(_ parent: EPTTable, indent: String) {
            let span = EPTEntry.span(parent.level)
            for (number, item) in parent.items.enumerated() {
                let isLast = number == parent.items.count - 1
                let branch = indent + (isLast ? "└─ " : "├─ ") + item.indices
                let last = min(item.address + span * UInt64(item.count), end)
                let place = range(item.address, last)
                switch item.content {
                case .hole:
                    table.add([branch + " hole", place, bytes(last - item.address)])
                case .leaf(let entry):
                    let pages = item.count == 1 ? bytes(span) : "\(item.count) x \(bytes(span))"
                    table.add([
                        branch, place, pages, entry.permissions, memoryType(entry), accessedDirty(entry),
                    ])
                case .table(let entry, let below):
                    let alike = item.count == 1 ? below.name : "\(item.count) x \(below.name), all like the first:"
                    table.add([
                        "\(branch) \(alike)", place, bytes(last - item.address), entry.permissions, "",
                        accessedDirty(entry),
                    ])
                    add(below, indent: indent + (isLast ? "   " : "│  "))
                }
            }
        }
    }
}

/// A leaf's memory type, and whether the guest's PAT has a say: `WB`, `WB+PAT`.
func memoryType(_ entry: EPTEntry) -> String {
    entry.memoryType.map { entry.ignoresPAT ? $0 : "\($0)+PAT" } ?? ""
}

/// `AD`, `A-`, `--`; an entry that names a table has no dirty bit.
func accessedDirty(_ entry: EPTEntry) -> String {
    let accessed = entry.isAccessed ? "A" : "-"
    return entry.isLeaf ? accessed + (entry.isDirty ? "D" : "-") : accessed
}
