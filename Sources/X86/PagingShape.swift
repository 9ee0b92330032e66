// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Bits of entries in paging structures.
enum PageEntry {
    static let present: UInt64 = 1 << 0
    static let writable: UInt64 = 1 << 1
    static let user: UInt64 = 1 << 2
    static let accessed: UInt64 = 1 << 5
    static let dirty: UInt64 = 1 << 6
    static let large: UInt64 = 1 << 7
    static let global: UInt64 = 1 << 8
    static let noExecute: UInt64 = 1 << 63
}

/// The three layouts of page tables.
enum PagingShape {
    case legacy, pae, long

    init(cr4: UInt64, isLongMode: Bool) {
        self = isLongMode ? .long : cr4 & CR4.physicalAddressExtension != 0 ? .pae : .legacy
    }

    /// Levels that are walked in memory: PAE's page-directory pointers are registers.
    var levels: Int { self == .long ? 4 : 2 }
    var entrySize: UInt8 { self == .legacy ? 4 : 8 }

    /// log2 of what an entry of this level maps.
    func shift(_ level: Int) -> UInt8 { 12 + UInt8(level - 1) * (self == .legacy ? 10 : 9) }

    func index(_ linear: UInt64, _ level: Int) -> UInt64 {
        linear >> UInt64(shift(level)) & (self == .legacy ? 1023 : 511)
    }

    func mayBeLarge(_ level: Int, cr4: UInt64) -> Bool {
        switch self {
        case .legacy: level == 2 && cr4 & CR4.pageSizeExtensions != 0
        case .pae: level == 2
        case .long: level == 2 || level == 3
        }
    }

    /// The frame that a leaf entry names.
    func frame(_ entry: UInt64, _ level: Int) -> UInt64 {
        guard self == .legacy else { return entry & 0x000F_FFFF_FFFF_F000 }
        // A 4 MiB page has address bits 32 to 39 in bits 13 to 20 (PSE-36).
        return level == 2 ? entry & 0xFFC0_0000 | (entry >> 13 & 0xFF) << 32 : entry & 0xFFFF_F000
    }
}
