// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM
import TestMachine

/// A VM's extended page tables as `--json` prints them.
public struct EPTReport: Encodable, Sendable {
    public struct Entry: Encodable, Sendable {
        /// The table that it is in.
        public let table: String
        public let address: String
        public let count: Int
        public let size: UInt64
        public let leaf: Bool
        public let permissions: String
        public let type: String?
        public let ignoresPAT: Bool?
        public let accessed: Bool
        public let dirty: Bool?

        init(_ entry: EPTEntry) {
            table = EPTTable.name(entry.level)
            address = entry.address.description
            count = entry.count
            size = entry.size
            leaf = entry.isLeaf
            permissions = entry.permissions
            type = entry.memoryType
            ignoresPAT = entry.isLeaf ? entry.ignoresPAT : nil
            accessed = entry.isAccessed
            dirty = entry.isLeaf ? entry.isDirty : nil
        }
    }

    public let device: String
    public let vm: UInt64
    public let process: Int32
    public let complete: Bool
    public let frames: UInt64
    public let tables: UInt64
    public let mappedBytes: UInt64
    public let accessedDirtyBits: Bool
    public let entries: [Entry]

    public init(_ snapshot: EPTSnapshot, device: String) {
        self.device = device
        vm = snapshot.id
        process = snapshot.process
        complete = snapshot.isComplete
        frames = snapshot.frames
        tables = snapshot.tables
        mappedBytes = snapshot.mappedBytes
        accessedDirtyBits = snapshot.hasAccessDirty
        entries = snapshot.entries.map(Entry.init)
    }
}
