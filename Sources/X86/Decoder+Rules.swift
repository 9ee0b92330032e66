// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Decoder {
    /// Whether C4 or C5 starts a VEX prefix rather than LES or LDS: in 64-bit mode always, else when a register operand follows.
    mutating func isVEX() throws(Failure) -> Bool {
        codeSize == 8 ? true : try peek() >= 0xC0
    }

    /// Reads a VEX prefix and the opcode after it. Only general-register instructions are implemented with VEX.
    mutating func vex(_ first: UInt8) throws(Failure) -> OpcodeLayout {
        // SDM vol. 2, 2.3.2-2.3.4: LOCK, 66, F2, F3 and REX before VEX are undefined.
        if !result.prefixes.isDisjoint(with: [.lock, .operandSize, .repeatEqual, .repeatNotEqual, .rex]) {
            throw .undefined
        }
        var last = try byte()
        var map: UInt8 = 1
        rex = (last & 0x80) ^ 0x80 != 0 ? 4 : 0
        if first == 0xC4 {
            map = last & 0x1F
            if last & 0x40 == 0 { rex |= 2 }
            if last & 0x20 == 0 { rex |= 1 }
            last = try byte()
            if last & 0x80 != 0 { rex |= 8 }
        }
        if codeSize != 8 { rex = 0 }
        result.vector = (last >> 3) & 15 ^ 15
        if codeSize != 8 { result.vector &= 7 }
        if last & 4 != 0 { result.prefixes.insert(.vex256) }
        switch last & 3 {
        case 1: result.prefixes.insert(.operandSize)
        case 2: result.prefixes.insert(.repeatEqual)
        case 3: result.prefixes.insert(.repeatNotEqual)
        default: break
        }
        if rex & 8 != 0 { result.prefixes.insert(.wide) }
        result.size = rex & 8 != 0 ? 8 : 4
        let opcode = UInt16(try byte())
        switch map {
        case 1:
            result.opcode = OpcodeMap.vex0F | opcode
            return OpcodeLayout(
                hasModRM: opcode != 0x77,
                immediate: (0x70...0x73).contains(opcode) || (0xC2...0xC6).contains(opcode) ? .byte : .none)
        case 2:
            result.opcode = OpcodeMap.vex38 | opcode
            return OpcodeLayout(hasModRM: true, immediate: .none)
        case 3:
            result.opcode = OpcodeMap.vex3A | opcode
            return OpcodeLayout(hasModRM: true, immediate: .byte)
        default: throw .undefined
        }
    }

    /// LOCK is allowed on instructions that read, change and write memory (SDM vol. 2, "LOCK"); #UD elsewhere.
    func checkLock() throws(Failure) {
        guard result.prefixes.contains(.lock) else { return }
        if result.isRegister { throw .undefined }
        let group = result.group
        let allowed =
            switch result.opcode {
            case 0x00, 0x01, 0x08, 0x09, 0x10, 0x11, 0x18, 0x19, 0x20, 0x21, 0x28, 0x29, 0x30, 0x31: true
            case 0x80, 0x81, 0x82, 0x83: group != 7
            case 0x86, 0x87: true
            case 0xF6, 0xF7: group == 2 || group == 3
            case 0xFE, 0xFF: group < 2
            case 0x1AB, 0x1B3, 0x1BB, 0x1B0, 0x1B1, 0x1C0, 0x1C1: true
            case 0x1BA: group >= 5
            case 0x1C7: group == 1
            default: false
            }
        if !allowed { throw .undefined }
    }
}
