// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// One-byte opcodes that `execute` doesn't have.
extension Processor {
    /// 00 to 3F.
    mutating func executeArithmetic(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let operation = opcode >> 3
        switch opcode & 7 {
        case 0:
            let source = readReg(i, 1)
            if operation == 7 {
                _ = subtract(try readRM(i, 1), source, 0, 1)
            } else {
                try modifyRM(i, 1) { processor, value in processor.arithmetic(operation, value, source, 1) }
            }
        case 2:
            let result = arithmetic(operation, readReg(i, 1), try readRM(i, 1), 1)
            if operation != 7 { writeReg(i, 1, result) }
        case 4, 5:
            let size = opcode & 7 == 4 ? 1 : i.size
            let result = arithmetic(operation, register(0, size), i.immediate & sizeMask(size), size)
            if operation != 7 { setRegister(0, size, result) }
        default:
            guard codeSize != 8 else { throw .undefined }
            switch opcode {
            case 0x06, 0x0E, 0x16, 0x1E: try pushSegment(Int(opcode >> 3), i.size)
            case 0x07, 0x17, 0x1F: try popSegment(Int(opcode >> 3), i.size)
            case 0x27, 0x2F: decimalAdjust(subtracting: opcode == 0x2F)
            case 0x37, 0x3F: asciiAdjust(subtracting: opcode == 0x3F)
            default: throw .undefined
            }
        }
    }

    /// 40 to 8F.
    mutating func executeMiddle(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let size = i.size
        switch opcode {
        case 0x40...0x47: setRegister(i.rm, size, increment(register(i.rm, size), size))
        case 0x48...0x4F: setRegister(i.rm, size, decrement(register(i.rm, size), size))
        case 0x60, 0x61:
            guard codeSize != 8 else { throw .undefined }
            if opcode == 0x60 { try pushAll(size) } else { try popAll(size) }
        case 0x62: try bound(i)
        case 0x63: try adjustPrivilege(i)
        case 0x68, 0x6A: try push(i.immediate, size)
        case 0x69, 0x6B: setRegister(i.reg, size, multiplySigned(try readRM(i, size), i.immediate, size))
        case 0x6C: try inputString(i, 1)
        case 0x6D: try inputString(i, min(size, 4))
        case 0x6E: try outputString(i, 1)
        case 0x6F: try outputString(i, min(size, 4))
        case 0x80: try byteArithmeticImmediate(i)
        case 0x82:
            guard codeSize != 8 else { throw .undefined }
            try byteArithmeticImmediate(i)
        case 0x84: setLogicFlags(try readRM(i, 1) & readReg(i, 1), 1)
        case 0x86, 0x87:
            let width = opcode == 0x86 ? 1 : size
            let source = readReg(i, width)
            var old: UInt64 = 0
            try modifyRM(i, width) { _, value in
                old = value
                return source
            }
            writeReg(i, width, old)
        case 0x88: try writeRM(i, 1, readReg(i, 1))
        case 0x8A: writeReg(i, 1, try readRM(i, 1))
        case 0x8C:
            guard i.reg & 7 < 6 else { throw .undefined }
            let selector = UInt64(segments[Int(i.reg & 7)].selector)
            if i.isRegister { setRegister(i.rm, size, selector) } else { try writeRM(i, 2, selector) }
        case 0x8E:
            let number = Int(i.reg & 7)
            guard number < 6, number != SegmentRegister.cs else { throw .undefined }
            try loadSegment(number, UInt16(truncatingIfNeeded: try readRM(i, 2)))
            if number == SegmentRegister.ss { newShadow = .stackSegment }
        case 0x8F:
            guard i.group == 0 else { throw .undefined }
            try popMemory(i)
        default: throw .undefined
        }
    }

    /// POP to memory: the address is computed after the stack pointer moved.
    private mutating func popMemory(_ i: Instruction) throws(Trap) {
        let value = try pop(i.size)
        try writeRM(i, i.size, value)
    }

    mutating func popSegment(_ number: Int, _ size: UInt8) throws(Trap) {
        let selector = UInt16(truncatingIfNeeded: try peek(0, size))
        let mask = stackMask
        try loadSegment(number, selector)
        // The old stack segment's size counts for the increment.
        let next = (registers[Register.rsp] &+ UInt64(size)) & mask
        registers[Register.rsp] = mask == 0xFFFF ? registers[Register.rsp] & ~0xFFFF | next : next
        if number == SegmentRegister.ss { newShadow = .stackSegment }
    }

    /// BOUND.
    private mutating func bound(_ i: Instruction) throws(Trap) {
        guard codeSize != 8, !i.isRegister else { throw .undefined }
        let address = try operandAddress(i, i.size * 2, write: false)
        let lower = Int64(bitPattern: signExtend(try load(address, i.size), i.size))
        let upper = Int64(bitPattern: signExtend(try load(advanced(address, UInt64(i.size)), i.size), i.size))
        let value = Int64(bitPattern: signExtend(register(i.reg, i.size), i.size))
        if value < lower || value > upper { throw .exception(ProcessorException.boundRange) }
    }

    /// ARPL.
    private mutating func adjustPrivilege(_ i: Instruction) throws(Trap) {
        guard !hasRealSegments else { throw .undefined }
        let source = registers[i.reg] & 3
        var raised = false
        try modifyRM(i, 2) { _, value in
            raised = value & 3 < source
            return raised ? value & ~3 | source : value
        }
        setFlag(Flag.zero, raised)
    }

    /// 90 to CF.
    mutating func executeUpper(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let size = i.size
        switch opcode {
        case 0x90...0x97:
            if i.rm == 0 {
                // NOP, or PAUSE with F3.
                if i.prefixes.contains(.repeatEqual) { try intercept(.pause) }
                return
            }
            let value = register(0, size)
            setRegister(0, size, register(i.rm, size))
            setRegister(i.rm, size, value)
        case 0x98: setRegister(0, size, signExtend(register(0, size / 2), size / 2))
        case 0x99:
            let isNegative = register(0, size) >> (UInt64(size) * 8 - 1) != 0
            setRegister(2, size, isNegative ? .max : 0)
        case 0x9A:
            guard codeSize != 8 else { throw .undefined }
            try farDirect(i, isCall: true)
        case 0x9B:
            if cr0 & (CR0.monitorCoprocessor | CR0.taskSwitched) == CR0.monitorCoprocessor | CR0.taskSwitched {
                throw .deviceNotAvailable
            }
            try requireNoX87Exception()
        case 0x9C: try pushFlags(size)
        case 0x9D: try popFlags(size)
        case 0x9E: flags = flags & ~0xD5 | registers[Register.rax] >> 8 & 0xD5
        case 0x9F: writeRegister(4, 1, false, flags & 0xFF)
        case 0xA0...0xA3: try moveAbsolute(i, opcode)
        case 0xA4: try moveString(i, 1)
        case 0xA5: try moveString(i, size)
        case 0xA6: try compareString(i, 1)
        case 0xA7: try compareString(i, size)
        case 0xA8: setLogicFlags(registers[Register.rax] & i.immediate & 0xFF, 1)
        case 0xA9: setLogicFlags(registers[Register.rax] & i.immediate & sizeMask(size), size)
        case 0xAA: try storeString(i, 1)
        case 0xAB: try storeString(i, size)
        case 0xAC: try loadString(i, 1)
        case 0xAD: try loadString(i, size)
        case 0xAE: try scanString(i, 1)
        case 0xAF: try scanString(i, size)
        case 0xB0...0xB7: writeRegister(i.rm, 1, i.hasREX, i.immediate)
        case 0xC0:
            let count = i.immediate
            let operation = i.group
            try modifyRM(i, 1) { processor, value in processor.shift(operation, value, count, 1) }
        case 0xC2:
            let target = try pop(size)
            setStackPointer(registers[Register.rsp] &+ i.immediate)
            try jumpNear(target, size)
        case 0xC4, 0xC5: try loadFarPointer(i, opcode == 0xC4 ? SegmentRegister.es : SegmentRegister.ds)
        case 0xC6:
            guard i.group == 0 else { throw .undefined }
            try writeRM(i, 1, i.immediate)
        case 0xC8: try enterFrame(i.immediate & 0xFFFF, i.immediate >> 32, size)
        case 0xC9: try leaveFrame(size)
        case 0xCA, 0xCB:
            let bytes = opcode == 0xCA ? i.immediate : 0
            let width = size
            try atomically { (processor) throws(Trap) in try processor.farReturn(width, bytes) }
        case 0xCC: throw software(3, .softwareException)
        case 0xCD:
            if isVirtual8086 && ioPrivilege < 3 { throw .general }
            throw software(UInt8(truncatingIfNeeded: i.immediate), .softwareInterrupt)
        case 0xCE:
            guard codeSize != 8 else { throw .undefined }
            if flags & Flag.overflow != 0 { throw software(4, .softwareException) }
        case 0xCF:
            try intercept(.iret)
            let width = size
            try atomically { (processor) throws(Trap) in try processor.interruptReturn(width) }
        default: throw .undefined
        }
    }

    private mutating func software(_ vector: UInt8, _ kind: Delivery.Kind) -> Trap {
        softwareEvent = Delivery(vector: vector, kind: kind)
        return .software
    }

    /// MOV between the accumulator and an absolute address.
    private mutating func moveAbsolute(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let size = opcode & 1 == 0 ? 1 : i.size
        let isStore = opcode & 2 != 0
        let address = try linear(i.segment, i.immediate, size, write: isStore)
        if isStore {
            try store(address, size, registers[Register.rax])
        } else {
            setRegisterOrByte(0, size, try load(address, size))
        }
    }

    private mutating func setRegisterOrByte(_ number: UInt8, _ size: UInt8, _ value: UInt64) {
        writeRegister(number, size, true, value)
    }

    mutating func farDirect(_ i: Instruction, isCall: Bool) throws(Trap) {
        let offset = i.immediate & 0xFFFF_FFFF
        let selector = UInt16(truncatingIfNeeded: i.immediate >> 32)
        let size = i.size
        try atomically { (processor) throws(Trap) in
            try processor.farTransfer(selector, offset, size, isCall: isCall)
        }
    }

    /// LES, LDS, LSS, LFS, LGS.
    mutating func loadFarPointer(_ i: Instruction, _ number: Int) throws(Trap) {
        guard !i.isRegister else { throw .undefined }
        let address = try operandAddress(i, i.size + 2, write: false)
        let value = try load(address, i.size)
        let selector = UInt16(truncatingIfNeeded: try load(advanced(address, UInt64(i.size)), 2))
        try loadSegment(number, selector)
        setRegister(i.reg, i.size, value)
        if number == SegmentRegister.ss { newShadow = .stackSegment }
    }
}
