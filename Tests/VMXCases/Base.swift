// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// Guests that VM entry accepts, to be spoilt one field at a time.
package enum Base: Sendable, CaseIterable {
    /// 64-bit code, EPT and unrestricted guest.
    case long64
    /// Real mode, through unrestricted guest.
    case real
    /// 32-bit paging without unrestricted guest.
    case restricted32
    /// PAE paging.
    case pae32
    /// Virtual-8086 mode.
    case virtual8086

    /// Controls and guest state; what isn't here is zero.
    package var fields: [FieldValue] { controls + guestRegisters + guestSegments + guestTables }

    private var controls: [FieldValue] {
        [
            FieldValue(.pinControls, 0x3F), FieldValue(.procControls, 0x9500_61F2),
            FieldValue(.proc2Controls, self == .restricted32 ? 0x22 : 0xA2),
            FieldValue(.exitControls, 0x3F_6FFF),
            FieldValue(.entryControls, self == .long64 ? 0xD3FF : 0xD1FF), FieldValue(.vpid, 1),
            FieldValue(.eptPointer, Fixture.eptp), FieldValue(.msrBitmap, 0x11000),
            FieldValue(.vmcsLinkPointer, .max),
        ]
    }

    private var guestRegisters: [FieldValue] {
        [
            FieldValue(.guestCr0, self == .real ? 0x30 : self == .long64 ? 0x8005_0033 : 0x8000_0031),
            FieldValue(.guestCr4, self == .long64 || self == .pae32 ? 0x2020 : 0x2000),
            FieldValue(.guestCr3, 0x1000), FieldValue(.guestIa32Efer, self == .long64 ? 0xD01 : 0),
            FieldValue(.guestIa32Pat, 0x0007_0406_0007_0406), FieldValue(.guestDr7, 0x400),
            FieldValue(.guestRip, 0x1_0000), FieldValue(.guestRsp, 0x8000),
            FieldValue(.guestRflags, self == .virtual8086 ? 0x2_0002 : 2),
        ]
    }

    private var guestSegments: [FieldValue] {
        let isFlat = self != .real && self != .virtual8086
        return (0..<6 as Range<UInt32>).flatMap { (index: UInt32) -> [FieldValue] in
            let isCode = index == 1
            let selector: UInt64 = isFlat ? (isCode ? 0x10 : 0x18) : 0x100
            let access: UInt64 =
                switch self {
                case .real: isCode ? 0x9B : 0x93
                case .virtual8086: 0xF3
                case .long64: isCode ? 0xA09B : 0xC093
                default: isCode ? 0xC09B : 0xC093
                }
            return [
                numbered(.guestEsSelector, index, selector),
                numbered(.guestEsBase, index, isFlat ? 0 : selector << 4),
                numbered(.guestEsLimit, index, isFlat ? 0xFFFF_FFFF : 0xFFFF),
                numbered(.guestEsAccessRights, index, access),
            ].compactMap(\.self)
        }
    }

    /// Encodings of a kind are 2 apart, in the order ES, CS, SS, DS, FS, GS.
    private func numbered(_ first: VMCSField, _ index: UInt32, _ value: UInt64) -> FieldValue? {
        VMCSField(rawValue: first.rawValue + 2 * index).map { FieldValue($0, value) }
    }

    private var guestTables: [FieldValue] {
        [
            FieldValue(.guestLdtrAccessRights, 0x1_0000), FieldValue(.guestTrSelector, 0x20),
            FieldValue(.guestTrLimit, 0x67), FieldValue(.guestTrAccessRights, 0x8B),
            FieldValue(.guestGdtrLimit, 0xFFFF), FieldValue(.guestIdtrLimit, 0xFFFF),
        ]
    }
}
