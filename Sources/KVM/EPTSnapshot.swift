// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A VM's extended page tables at a moment, in the order of their addresses, each table before what is in it.
public struct EPTSnapshot: Equatable, Sendable {
    /// The VM's number among all that its device has or had.
    public let id: UInt64
    /// The process that made it.
    public let process: Int32
    /// Frames of 4 KiB that its addresses reach.
    public let frames: UInt64
    /// Pages of tables, the root included.
    public let tables: UInt64
    /// Whether the processor keeps accessed and dirty bits in it.
    public let hasAccessDirty: Bool
    /// False where the VM ended while it was read.
    public let isComplete: Bool
    public let entries: [EPTEntry]

    public init(
        id: UInt64, process: Int32, frames: UInt64, tables: UInt64, hasAccessDirty: Bool, isComplete: Bool = true,
        entries: [EPTEntry]
    ) {
        self.id = id
        self.process = process
        self.frames = frames
        self.tables = tables
        self.hasAccessDirty = hasAccessDirty
        self.isComplete = isComplete
        self.entries = entries
    }

    /// The first address that the guest can't have.
    public var end: UInt64 { frames << 12 }
    /// Bytes of memory that it maps.
    public var mappedBytes: UInt64 { entries.reduce(0) { $1.isLeaf ? $0 + $1.size : $0 } }
    public var mappedPages: Int { entries.reduce(0) { $1.isLeaf ? $0 + $1.count : $0 } }
}
