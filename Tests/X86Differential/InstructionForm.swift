// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A shape of instruction that the generator fills in.
package struct InstructionForm: Sendable {
    enum Operand { case none, any, registerOnly, memoryOnly, inOpcode }
    enum Immediate { case none, byte, word, full, wide, address }
    enum Encoding {
        case legacy
        case vex(map: UInt8, prefix: UInt8, usesVector: Bool)
    }

    package var name: String
    /// Mandatory prefix (0 for none), then the escape bytes and opcode.
    var prefix: UInt8 = 0
    var opcode: [UInt8]
    var operand = Operand.any
    /// ModRM.reg, or nil for any register.
    var group: UInt8?
    var immediate = Immediate.none
    var modes = CaseMode.allCases
    var encoding = Encoding.legacy
    /// Whether 66 and REX.W may be added.
    var hasSizes = true
    var mayLock = false
    var mayRepeat = false
    /// More bytes after it, for jumps to go over.
    var tail: [UInt8] = []
    var isVector = false

    /// Whether the operands are bytes, which most opcodes say with their lowest bit.
    var isByte: Bool {
        guard case .legacy = encoding, !isVector, let last = opcode.last else { return false }
        if opcode.count == 1 {
            switch last {
            case 0x00..<0x40: return last & 1 == 0
            case 0x80, 0x82, 0x84, 0x86, 0x88, 0x8A, 0xA0, 0xA2, 0xA4, 0xA6, 0xA8, 0xAA, 0xAC, 0xAE, 0xB0, 0xC0, 0xC6,
                0xD0, 0xD2,
                0xF6, 0xFE:
                return true
            default: return false
            }
        }
        return opcode.count == 2 && (last == 0xB0 || last == 0xC0 || 0x90..<0xA0 ~= last)
    }
}

/// One filled-in instruction, with what its bytes mean.
package struct GeneratedInstruction: Sendable {
    package var name: String
    package var bytes: [UInt8]
    var opcode: UInt8 = 0
    var isVector = false
    var isLocked = false
    /// Bytes of the operands, and of addresses.
    var size = 4
    var addressSize = 4
    /// Any REX; 0 for none.
    var rex: UInt8 = 0
    var has66 = false
    /// ModRM, with REX's and VEX's bits added to the registers' numbers.
    var modRM: UInt8?
    var reg = 0
    var rm = 0
    var vvvv = 0
    /// The memory operand's effective address, without what BT adds; and for a RIP-relative one what is still to be filled in.
    var address: UInt64?
    var target: UInt64?
    var immediate: UInt64 = 0

    var isRegister: Bool { modRM.map { $0 >= 0xC0 } ?? true }
    /// The mandatory prefix of SSE instructions.
    var mandatory: UInt8 = 0
    var isScalar: Bool { mandatory == 0xF3 || mandatory == 0xF2 }
    var group: Int { Int(modRM ?? 0) >> 3 & 7 }
}
