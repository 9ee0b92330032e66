// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A shape of instruction that the generator fills in.
struct InstructionForm {
    enum Operand { case none, any, registerOnly, memoryOnly, inOpcode }
    enum Immediate { case none, byte, word, full, wide, address }
    enum Encoding { case legacy, vex(map: UInt8, prefix: UInt8, usesVector: Bool, usesWide: Bool) }

    var name: String
    /// Mandatory prefix (0 for none), then the escape bytes and opcode.
    var prefix: UInt8 = 0
    var opcode: [UInt8]
    var operand = Operand.any
    /// ModRM.reg, or nil for any register.
    var group: UInt8?
    var immediate = Immediate.none
    var modes = Mode.allCases
    var encoding = Encoding.legacy
    /// Whether 66 and REX.W may be added.
    var hasSizes = true
    var mayLock = false
    var mayRepeat = false
    /// More bytes after it, for jumps to go over.
    var tail: [UInt8] = []
    var isVector = false
}

/// One filled-in instruction.
struct GeneratedInstruction {
    var name: String
    var bytes: [UInt8]
    var isVector = false
    var repeats = false
    var undefined: UInt64 { UndefinedFlags.table[name] ?? 0 }

    /// Whether it has one of these opcodes with this ModRM.reg.
    func has(_ opcodes: [UInt8], group: UInt8) -> Bool {
        guard let position = bytes.firstIndex(where: opcodes.contains), position + 1 < bytes.count else { return false }
        return bytes[position + 1] >> 3 & 7 == group
    }
}
