// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// Executes a decoded instruction; RIP is already at the next one.
    @inline(__always)
    mutating func execute(_ i: Instruction) throws(Trap) {
        let size = i.size
        switch i.opcode {
        case 0x89:  // MOV r/m, r
            try writeRM(i, size, registers[i.reg])
        case 0x8B:
            if i.isRegister {
                writeRegister(i.reg, size, true, registers[i.rm])
            } else {
                writeRegister(i.reg, size, true, try load(try operandAddress(i, size, write: false), size))
            }
        case 0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31:
            let operation = UInt8(truncatingIfNeeded: i.opcode >> 3)
            let source = register(i.reg, size)
            if i.isRegister {
                writeRegister(i.rm, size, true, arithmetic(operation, register(i.rm, size), source, size))
            } else {
                let address = try operandAddress(i, size, write: true)
                let value = try loadForWrite(address, size)
                try store(address, size, arithmetic(operation, value, source, size))
            }
        case 0x03, 0x0B, 0x13, 0x1B, 0x23, 0x2B, 0x33:
            let source = try readRM(i, size)
            let result = arithmetic(UInt8(truncatingIfNeeded: i.opcode >> 3), register(i.reg, size), source, size)
            writeRegister(i.reg, size, true, result)
        case 0x39:
            let value = try readRM(i, size)
            _ = subtract(value, register(i.reg, size), 0, size)
        case 0x3B:
            let value = try readRM(i, size)
            _ = subtract(register(i.reg, size), value, 0, size)
        case 0x81, 0x83: try arithmeticImmediate(i, size)
        case 0x85:
            let value = try readRM(i, size)
            setLogicFlags(value & registers[i.reg], size)
        case 0x8D:
            if i.isRegister { throw .undefined }
            writeRegister(i.reg, size, true, offset(i))
        case 0x50...0x57: try push(registers[i.rm], size)
        case 0x58...0x5F:
            let value = try pop(size)
            writeRegister(i.rm, size, true, value)
        case 0x70...0x7F:
            if condition(UInt8(truncatingIfNeeded: i.opcode)) { try jumpNear(rip &+ i.immediate, size) }
        case 0x180...0x18F:
            if condition(UInt8(truncatingIfNeeded: i.opcode)) { try jumpNear(rip &+ i.immediate, size) }
        case 0xB8...0xBF: writeRegister(i.rm, size, true, i.immediate)
        case 0xE8:
            let target = rip &+ i.immediate
            try push(rip, size)
            try jumpNear(target, size)
        case 0xC3: try jumpNear(try pop(size), size)
        case 0xE9, 0xEB: try jumpNear(rip &+ i.immediate, size)
        case 0xC7:
            if i.group != 0 { throw .undefined }
            try writeRM(i, size, i.immediate)
        case 0x1B6: setRegister(i.reg, size, try readRM(i, 1))
        case 0x1B7: setRegister(i.reg, size, try readRM(i, 2))
        case 0x1BE: setRegister(i.reg, size, signExtend(try readRM(i, 1), 1))
        case 0x1BF: setRegister(i.reg, size, signExtend(try readRM(i, 2), 2))
        case 0xC1:
            let count = i.immediate
            let operation = i.group
            if i.isRegister {
                writeRegister(i.rm, size, true, shift(operation, register(i.rm, size), count, size))
            } else {
                try modifyRM(i, size) { processor, value in processor.shift(operation, value, count, size) }
            }
        case 0xFF where i.group < 2:
            if i.isRegister {
                let value = register(i.rm, size)
                writeRegister(i.rm, size, true, i.group == 0 ? increment(value, size) : decrement(value, size))
            } else {
                try incrementOrDecrement(i, size)
            }
        case 0x63 where codeSize == 8: setRegister(i.reg, size, signExtend(try readRM(i, min(size, 4)), min(size, 4)))
        default: try executeOther(i)
        }
    }

    /// Jumps within the code segment; the target is cut to the operand size.
    @inline(__always)
    mutating func jumpNear(_ target: UInt64, _ size: UInt8) throws(Trap) {
        let target = target & sizeMask(size)
        if codeSize == 8 {
            if target &+ 0x8000_0000_0000 >= 1 << 48 { throw .general }
        } else if target > UInt64(segments[SegmentRegister.cs].limit) {
            throw .general
        }
        rip = target
    }

    @inline(__always)
    private mutating func arithmeticImmediate(_ i: Instruction, _ size: UInt8) throws(Trap) {
        let operation = i.group
        let immediate = i.immediate & sizeMask(size)
        if i.isRegister {
            let value = readRegister(i.rm, size, i.hasREX)
            let result = arithmetic(operation, value, immediate, size)
            if operation != 7 { writeRegister(i.rm, size, i.hasREX, result) }
        } else if operation == 7 {
            _ = subtract(try readRM(i, size), immediate, 0, size)
        } else {
            let address = try operandAddress(i, size, write: true)
            let value = try loadForWrite(address, size)
            try store(address, size, arithmetic(operation, value, immediate, size))
        }
    }

    @inline(__always)
    private mutating func incrementOrDecrement(_ i: Instruction, _ size: UInt8) throws(Trap) {
        let increments = i.group == 0
        try modifyRM(i, size) { processor, value in
            increments ? processor.increment(value, size) : processor.decrement(value, size)
        }
    }

    /// Everything that isn't frequent enough to be in `execute`.
    @inline(never)
    private mutating func executeOther(_ i: Instruction) throws(Trap) {
        switch i.opcode >> 8 {
        case 0:
            let low = UInt8(truncatingIfNeeded: i.opcode)
            if low < 0x40 {
                try executeArithmetic(i, low)
            } else if low < 0x90 {
                try executeMiddle(i, low)
            } else if low < 0xD0 {
                try executeUpper(i, low)
            } else {
                try executeTop(i, low)
            }
        case 1: try executeTwo(i, UInt8(truncatingIfNeeded: i.opcode))
        case 2: try executeThree38(i, UInt8(truncatingIfNeeded: i.opcode))
        case 3: throw .unsupported
        default: try executeVEX(i)
        }
    }

    /// Opcodes 80 and 82, and C0 to D3's common part.
    mutating func byteArithmeticImmediate(_ i: Instruction) throws(Trap) { try arithmeticImmediate(i, 1) }
    mutating func byteIncrementOrDecrement(_ i: Instruction) throws(Trap) { try incrementOrDecrement(i, 1) }
}
