// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Small questions about register values that several checks ask.
enum Bits {
    /// Canonical for 48-bit linear addresses.
    static func isCanonical(_ address: UInt64) -> Bool {
        UInt64(bitPattern: Int64(bitPattern: address << 16) >> 16) == address
    }

    /// Each byte of a page-attribute table names a memory type. SDM vol. 3, 12.12.2.
    static func isPAT(_ value: UInt64) -> Bool {
        (0..<8).allSatisfy { [0, 1, 4, 5, 6, 7].contains(value >> (8 * $0) & 0xFF) }
    }
}

/// Bits of CR0, CR4, RFLAGS and EFER that VMX itself looks at.
enum Bit {
    static let cr0PE: UInt64 = 1 << 0
    static let cr0NE: UInt64 = 1 << 5
    static let cr0PG: UInt64 = 1 << 31
    static let cr4PAE: UInt64 = 1 << 5
    static let cr4VMXE: UInt64 = 1 << 13
    static let cr4PCIDE: UInt64 = 1 << 17
    static let flagsTF: UInt64 = 1 << 8
    static let flagsIF: UInt64 = 1 << 9
    static let flagsVM: UInt64 = 1 << 17
    static let eferLME: UInt64 = 1 << 8
    static let eferLMA: UInt64 = 1 << 10
    static let efer: UInt64 = 0xD01
    static let dr7Fixed: UInt64 = 0x400
    static let debugctlBTF: UInt64 = 1 << 1
}
