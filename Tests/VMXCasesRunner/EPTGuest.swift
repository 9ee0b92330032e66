// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXCases
import VMXSim

/// The guest that makes a case's access, with 64-bit code but for loading PAE paging's pointers: its code, its tables and
/// its own part of the EPT, all in the arena.
///
/// Guest-physical addresses below 2 MiB are the arena's offsets, through tables of their own; cases use other entries
/// of the top table. Linear addresses below 2 MiB are guest-physical ones, but for the page whose place a case has.
enum EPTGuest {
    private static let nestedTables: UInt64 = 0x2_0000
    private static let tables: UInt64 = 0x3_0000
    private static let code: UInt64 = 0x4_0000
    /// Where walks through a case's page end.
    private static let data: UInt64 = 0x5_0000
    private static let lastTable: UInt64 = 0x3_3000
    private static let directory: UInt64 = 0x3_2000

    /// The linear address whose page is a case's, at the offset that `EPTCase.Layout.address` has.
    static let linear: UInt64 = 0x7123
    /// One whose last table is a case's page.
    static let walked: UInt64 = 0x20_0000 | 0x24 << 12 | 0x123
    static let walkedEntry: UInt64 = 0x24 * 8

    /// HLT, and what tells the page.
    static func content(_ marker: UInt64) -> UInt64 { 0xF4 | marker << 8 }
    static let dataContent = content(0x66)

    /// What stays the same: quadwords by their offset in the arena.
    static func fixed(_ arena: UInt64) -> [(offset: UInt64, words: [UInt64])] {
        [
            (nestedTables, [arena + nestedTables + 0x1007]),
            (nestedTables + 0x1000, [arena + nestedTables + 0x2007]),
            (nestedTables + 0x2000, (0..<512).map { arena + $0 << 12 | 0x37 }),
            (tables, [tables + 0x1063]), (tables + 0x1000, [tables + 0x2063]),
            (directory, [lastTable | 0x63]), (lastTable, (0..<512).map { $0 << 12 | 0x63 }),
            (data + 0x120, [dataContent << 24]),
        ]
    }

    /// The entry that leads to the guest's own tables of its EPT: in the case's top table, or in its next one where the
    /// case's address has the same first entry.
    static func ownEntry(_ arena: UInt64, sharesTop: Bool) -> (offset: UInt64, entry: UInt64) {
        sharesTop
            ? (EPTCase.Layout.top + 0x1000, arena + nestedTables + 0x1007)
            : (EPTCase.Layout.top, arena + nestedTables | 7)
    }

    /// A page-directory pointer for PAE paging, and the same told apart by a bit that is software's.
    private static let oldPointer = directory | 1
    static let newPointer = directory | 0x201

    /// The instructions for an access, which HLT ends.
    private static func instructions(_ access: EPTAccess) -> UInt64 {
        switch access {
        case .write: 0xF4_5A07C6  // movb $0x5A, (%rdi)
        case .execute: 0xE7FF  // jmp *%rdi
        case [.read, .write]: 0xF4_010780  // addb $1, (%rdi)
        default: 0xF4_078B48  // mov (%rdi), %rax
        }
    }

    private static let loadCR3: UInt64 = 0xF4_DF220F  // mov %edi, %cr3

    /// What differs from case to case, but for the case's EPT.
    static func variable(_ run: EPTRun) -> [(offset: UInt64, words: [UInt64])] {
        let page = run.address & ~0xFFF | 0x63
        let isWalk = run.isWalk
        return [
            (code, [run.kind == .pagePointers ? loadCR3 : instructions(isWalk ? .read : run.access)]),
            (lastTable + (linear >> 12) * 8, [run.kind == .page ? page : 0x7063]),
            (directory + 8, [isWalk ? page : 0]),
        ]
    }

    /// The entry that a walk finds in a case's page; it isn't accessed yet where the walk has to write it.
    static func entry(writes: Bool) -> UInt64 { data | (writes ? 0x43 : 0x63) }

    /// The guest's VMCS.
    static func fields(_ run: EPTRun, arena: UInt64, _ capabilities: Capabilities) -> [FieldValue] {
        let test = EntryCase(
            base: run.kind == .pagePointers ? .pae32 : .long64,
            changes: [
                (.guestCr3, tables), (.guestRip, code), (.exceptionBitmap, 0xFFFF_FFFF),
                (.eptPointer, run.pointer.rawValue), (.guestPdpte0, oldPointer),
            ], expected: [])
        return test.fields(at: arena, capabilities)
    }
}
