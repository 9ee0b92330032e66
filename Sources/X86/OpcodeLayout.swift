// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What follows an opcode byte.
struct OpcodeLayout {
    enum Immediate: UInt8 {
        case none
        case byte
        case word
        /// 2 or 4 bytes by operand size, sign-extended.
        case full
        /// 2, 4 or 8 bytes by operand size.
        case wide
        /// 2 or 4 bytes, then a selector.
        case far
        /// As many bytes as an address.
        case address
        /// ENTER's two.
        case enter
    }

    var hasModRM: Bool
    var immediate: Immediate

    /// The layout of a one-byte opcode; `group` is ModRM.reg, which decides for F6 and F7.
    static func one(_ opcode: UInt8) -> OpcodeLayout {
        switch opcode {
        case 0x00...0x3F:
            switch opcode & 7 {
            case 0...3: OpcodeLayout(hasModRM: true, immediate: .none)
            case 4: OpcodeLayout(hasModRM: false, immediate: .byte)
            case 5: OpcodeLayout(hasModRM: false, immediate: .full)
            default: OpcodeLayout(hasModRM: false, immediate: .none)
            }
        case 0x62, 0x63, 0x84...0x8F, 0xC4, 0xC5, 0xD0...0xD3, 0xD8...0xDF, 0xF6, 0xF7, 0xFE, 0xFF:
            OpcodeLayout(hasModRM: true, immediate: .none)
        case 0x69, 0x81, 0xC7: OpcodeLayout(hasModRM: true, immediate: .full)
        case 0x6B, 0x80, 0x82, 0x83, 0xC0, 0xC1, 0xC6: OpcodeLayout(hasModRM: true, immediate: .byte)
        case 0x68, 0xA9, 0xE8, 0xE9: OpcodeLayout(hasModRM: false, immediate: .full)
        case 0x6A, 0x70...0x7F, 0xA8, 0xB0...0xB7, 0xCD, 0xD4, 0xD5, 0xE0...0xE7, 0xEB:
            OpcodeLayout(hasModRM: false, immediate: .byte)
        case 0x9A, 0xEA: OpcodeLayout(hasModRM: false, immediate: .far)
        case 0xA0...0xA3: OpcodeLayout(hasModRM: false, immediate: .address)
        case 0xB8...0xBF: OpcodeLayout(hasModRM: false, immediate: .wide)
        case 0xC2, 0xCA: OpcodeLayout(hasModRM: false, immediate: .word)
        case 0xC8: OpcodeLayout(hasModRM: false, immediate: .enter)
        default: OpcodeLayout(hasModRM: false, immediate: .none)
        }
    }

    /// The layout of an opcode after 0F.
    static func two(_ opcode: UInt8) -> OpcodeLayout {
        switch opcode {
        case 0x04...0x09, 0x0A...0x0C, 0x0E, 0x30...0x37, 0x77, 0xA0...0xA2, 0xA6...0xAA, 0xC8...0xCF:
            OpcodeLayout(hasModRM: false, immediate: .none)
        case 0x80...0x8F: OpcodeLayout(hasModRM: false, immediate: .full)
        case 0x70...0x73, 0xA4, 0xAC, 0xBA, 0xC2, 0xC4...0xC6: OpcodeLayout(hasModRM: true, immediate: .byte)
        default: OpcodeLayout(hasModRM: true, immediate: .none)
        }
    }
}
