// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Two-byte opcodes, 0F xx.
extension Processor {
    mutating func executeTwo(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let size = i.size
        switch opcode {
        case 0x00...0x09, 0x20...0x23, 0x30...0x37, 0xA2, 0xAA: try executeSystem(i, opcode)
        case 0x0B, 0xB9, 0xFF: throw .undefined
        // PREFETCHW and the reserved NOPs.
        case 0x0D: if i.isRegister { throw .undefined }
        case 0x18...0x1F: break
        case 0x40...0x4F:
            let value = try readRM(i, size)
            if condition(opcode) {
                setRegister(i.reg, size, value)
            } else if size == 4 {
                setRegister(i.reg, 4, registers[i.reg])
            }
        case 0x90...0x9F: try writeRM(i, 1, condition(opcode) ? 1 : 0)
        case 0xA0, 0xA8: try pushSegment(Int(opcode >> 3) - 16, size)
        case 0xA1, 0xA9: try popSegment(Int(opcode >> 3) - 16, size)
        case 0xA3: try bitTest(i, 0, register(i.reg, size))
        case 0xAB: try bitTest(i, 1, register(i.reg, size))
        case 0xB3: try bitTest(i, 2, register(i.reg, size))
        case 0xBB: try bitTest(i, 3, register(i.reg, size))
        case 0xA4, 0xA5, 0xAC, 0xAD:
            let count = opcode & 1 == 0 ? i.immediate : registers[Register.rcx] & 0xFF
            let filler = register(i.reg, size)
            let isLeft = opcode < 0xA8
            try modifyRM(i, size) { processor, value in
                processor.doubleShift(left: isLeft, value, filler, count, size)
            }
        case 0xAE: try executeGroup15(i)
        case 0xAF: setRegister(i.reg, size, multiplySigned(register(i.reg, size), try readRM(i, size), size))
        case 0xB0: try compareExchange(i, 1)
        case 0xB1: try compareExchange(i, size)
        case 0xB2: try loadFarPointer(i, SegmentRegister.ss)
        case 0xB4: try loadFarPointer(i, SegmentRegister.fs)
        case 0xB5: try loadFarPointer(i, SegmentRegister.gs)
        case 0xB8:
            guard i.prefixes.contains(.repeatEqual) else { throw .undefined }
            try countOnes(i)
        case 0xBA:
            guard i.group >= 4 else { throw .undefined }
            try bitTestImmediate(i)
        case 0xBC:
            if i.prefixes.contains(.repeatEqual) { try countZeros(i, leading: false) } else { try bitScan(i, reverse: false) }
        case 0xBD:
            if i.prefixes.contains(.repeatEqual) { try countZeros(i, leading: true) } else { try bitScan(i, reverse: true) }
        case 0xC0: try exchangeAdd(i, 1)
        case 0xC1: try exchangeAdd(i, size)
        case 0xC3:
            // MOVNTI: "NP", no 66, F2 or F3.
            guard !i.isRegister, i.ssePrefix == .none else { throw .undefined }
            try writeRM(i, i.prefixes.contains(.wide) ? 8 : 4, registers[i.reg])
        case 0xC7: try executeGroup9(i)
        case 0xC8...0xCF:
            if size == 8 {
                registers[i.rm] = registers[i.rm].byteSwapped
            } else {
                setRegister(i.rm, 4, UInt64(UInt32(truncatingIfNeeded: registers[i.rm]).byteSwapped))
            }
        case 0x10...0x17, 0x28...0x2F, 0x50...0x76, 0x7E, 0x7F, 0xC2, 0xC4...0xC6, 0xD1...0xFE:
            try executeSSE(i, opcode)
        case 0x77, 0x0E, 0x0F, 0x38, 0x3A, 0x78...0x7D, 0xD0, 0xA6, 0xA7: throw .unsupported
        default: throw .undefined
        }
    }

    /// CMPXCHG.
    private mutating func compareExchange(_ i: Instruction, _ size: UInt8) throws(Trap) {
        let accumulator = register(0, size)
        let source = readReg(i, size)
        var old: UInt64 = 0
        let matches: Bool
        if i.isRegister {
            old = readRegister(i.rm, size, i.hasREX)
            matches = old == accumulator
            if matches { writeRegister(i.rm, size, i.hasREX, source) }
        } else {
            let address = try operandAddress(i, size, write: true)
            old = try loadForWrite(address, size)
            matches = old == accumulator
            // Memory is written either way.
            try store(address, size, matches ? source : old)
        }
        _ = subtract(accumulator, old, 0, size)
        if !matches { writeRegister(0, size, true, old) }
    }

    /// XADD.
    private mutating func exchangeAdd(_ i: Instruction, _ size: UInt8) throws(Trap) {
        let source = readReg(i, size)
        if i.isRegister {
            let old = readRegister(i.rm, size, i.hasREX)
            let sum = add(old, source, 0, size)
            writeReg(i, size, old)
            writeRegister(i.rm, size, i.hasREX, sum)
        } else {
            let address = try operandAddress(i, size, write: true)
            let old = try loadForWrite(address, size)
            try store(address, size, add(old, source, 0, size))
            writeReg(i, size, old)
        }
    }

    /// CMPXCHG8B, CMPXCHG16B, RDPID, RDRAND, RDSEED.
    private mutating func executeGroup9(_ i: Instruction) throws(Trap) {
        if i.group == 1 && !i.isRegister { return try compareExchangePair(i, i.size == 8 ? 8 : 4) }
        if i.group == 7 && i.isRegister && i.prefixes.contains(.repeatEqual) {
            try intercept(.rdpid)
            setRegister(i.rm, codeSize == 8 ? 8 : 4, msrs.tscAux)
            return
        }
        if i.group >= 6 && i.isRegister {
            try intercept(i.group == 6 ? .rdrand : .rdseed)
            throw .unsupported
        }
        if i.group >= 6 { try vmxInstruction(i) }
        throw .undefined
    }

    private mutating func compareExchangePair(_ i: Instruction, _ half: UInt8) throws(Trap) {
        let address = try operandAddress(i, half * 2, write: true)
        if half == 8 && address & 15 != 0 { throw .general }
        // Both halves are checked for writing before anything changes.
        let low = try loadForWrite(address, half)
        let high = try loadForWrite(advanced(address, UInt64(half)), half)
        let matches = low == register(0, half) && high == register(2, half)
        try store(address, half, matches ? registers[Register.rbx] : low)
        try store(advanced(address, UInt64(half)), half, matches ? registers[Register.rcx] : high)
        if !matches {
            setRegister(0, half, low)
            setRegister(2, half, high)
        }
        setFlag(Flag.zero, matches)
    }

    /// 0F 38 xx: MOVBE, CRC32, ADCX, ADOX, INVPCID.
    mutating func executeThree38(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let size = i.size
        switch opcode {
        case 0xF0 where i.prefixes.contains(.repeatNotEqual): try crc32(i, 1)
        case 0xF1 where i.prefixes.contains(.repeatNotEqual): try crc32(i, size)
        case 0xF0, 0xF1:
            guard !i.isRegister, !i.prefixes.contains(.repeatEqual) else { throw .undefined }
            let shift = 64 - 8 * UInt64(size)
            if opcode == 0xF0 {
                setRegister(i.reg, size, try readRM(i, size).byteSwapped >> shift)
            } else {
                try writeRM(i, size, registers[i.reg].byteSwapped >> shift)
            }
        case 0xF6 where i.prefixes.contains(.operandSize) || i.prefixes.contains(.repeatEqual):
            // ADCX and ADOX: the operand size is 4 or 8 whatever the prefixes.
            let width: UInt8 = i.prefixes.contains(.wide) ? 8 : 4
            let flag = i.prefixes.contains(.repeatEqual) ? Flag.overflow : Flag.carry
            let a = register(i.reg, width)
            let b = try readRM(i, width)
            let result = a &+ b &+ (flags & flag != 0 ? 1 : 0)
            let carries = a & b | (a | b) & ~result
            setFlag(flag, carries >> (UInt64(width) * 8 - 1) & 1 != 0)
            setRegister(i.reg, width, result)
        case 0x82 where i.prefixes.contains(.operandSize): try invalidateContext(i)
        case 0x80, 0x81:
            try vmxInstruction(i)
            throw .undefined
        default: throw .unsupported
        }
    }
}
