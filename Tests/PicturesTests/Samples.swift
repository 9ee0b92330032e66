// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// Page tables that the tests draw.
enum Samples {
    /// Write-back, the guest's PAT ignored.
    static let writeBack: UInt64 = 6 << 3 | 1 << 6
    static let accessed: UInt64 = 1 << 8
    static let dirty: UInt64 = 1 << 9

    static func table(_ level: Int, _ address: UInt64, _ bits: UInt64 = 7 | accessed) -> EPTEntry {
        EPTEntry(level: level, address: GuestAddress(address), bits: bits, isLeaf: false)
    }

    static func leaf(_ level: Int, _ address: UInt64, _ count: Int, _ bits: UInt64) -> EPTEntry {
        EPTEntry(level: level, address: GuestAddress(address), count: count, bits: bits | writeBack, isLeaf: true)
    }

    static func snapshot(_ entries: [EPTEntry], frames: UInt64 = 1 << 27) -> EPTSnapshot {
        EPTSnapshot(
            id: 3, process: 812, frames: frames, tables: UInt64(1 + entries.filter { !$0.isLeaf }.count),
            hasAccessDirty: true, entries: entries)
    }

    /// Three pages, one of them read-only, a large one, and a second table of pages.
    static let small = snapshot([
        table(4, 0), table(3, 0), table(2, 0), leaf(1, 0, 2, 7 | accessed | dirty), leaf(1, 0x5000, 1, 5 | accessed),
        leaf(2, 0x20_0000, 1, 3), table(2, 0x60_0000), leaf(1, 0x60_0000, 512, 7),
    ])
}
