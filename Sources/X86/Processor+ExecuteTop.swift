// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// One-byte opcodes D0 to FF.
extension Processor {
    mutating func executeTop(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let size = i.size
        switch opcode {
        case 0xD0...0xD3:
            let width = opcode & 1 == 0 ? 1 : size
            let count = opcode & 2 == 0 ? 1 : registers[Register.rcx] & 0xFF
            let operation = i.group
            try modifyRM(i, width) { processor, value in processor.shift(operation, value, count, width) }
        case 0xD4:
            guard codeSize != 8 else { throw .undefined }
            try asciiAdjustProduct(i.immediate)
        case 0xD5:
            guard codeSize != 8 else { throw .undefined }
            asciiAdjustDividend(i.immediate)
        case 0xD6:
            guard codeSize != 8 else { throw .undefined }
            writeRegister(0, 1, false, carry != 0 ? 0xFF : 0)
        case 0xD7:
            let offset = (registers[Register.rbx] &+ registers[Register.rax] & 0xFF) & i.addressMask
            writeRegister(0, 1, true, try load(try linear(i.segment, offset, 1, write: false), 1))
        case 0xD8...0xDF: try executeX87(i, opcode)
        case 0xE0...0xE2: try loop(i, opcode)
        case 0xE3:
            if registers[Register.rcx] & i.addressMask == 0 { try jumpNear(rip &+ i.immediate, size) }
        case 0xE4...0xE7, 0xEC...0xEF: try portInstruction(i, opcode)
        case 0xEA:
            guard codeSize != 8 else { throw .undefined }
            try farDirect(i, isCall: false)
        case 0xF1:
            softwareEvent = Delivery(vector: 1, kind: .privilegedSoftwareException)
            debugFault = 0
            throw .software
        case 0xF4:
            guard privilege == 0 else { throw .general }
            try intercept(.hlt)
            isHalted = true
        case 0xF5: flags ^= Flag.carry
        case 0xF6: try executeUnary(i, 1)
        case 0xF7: try executeUnary(i, size)
        case 0xF8: flags &= ~Flag.carry
        case 0xF9: flags |= Flag.carry
        case 0xFA:
            guard privilege <= ioPrivilege else { throw .general }
            flags &= ~Flag.interrupt
        case 0xFB:
            guard privilege <= ioPrivilege else { throw .general }
            if flags & Flag.interrupt == 0 { newShadow = .sti }
            flags |= Flag.interrupt
        case 0xFC: flags &= ~Flag.direction
        case 0xFD: flags |= Flag.direction
        case 0xFE:
            guard i.group < 2 else { throw .undefined }
            try byteIncrementOrDecrement(i)
        case 0xFF: try executeGroup5(i)
        default: throw .undefined
        }
    }

    /// TEST, NOT, NEG, MUL, IMUL, DIV, IDIV.
    private mutating func executeUnary(_ i: Instruction, _ size: UInt8) throws(Trap) {
        switch i.group {
        case 0, 1: setLogicFlags(try readRM(i, size) & i.immediate & sizeMask(size), size)
        case 2: try modifyRM(i, size) { _, value in ~value & sizeMask(size) }
        case 3: try modifyRM(i, size) { processor, value in processor.subtract(0, value, 0, size) }
        case 4: multiplyWide(try readRM(i, size), size, signed: false)
        case 5: multiplyWide(try readRM(i, size), size, signed: true)
        case 6: try divide(by: try readRM(i, size), size, signed: false)
        default: try divide(by: try readRM(i, size), size, signed: true)
        }
    }

    /// LOOP, LOOPE, LOOPNE.
    private mutating func loop(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let count = (registers[Register.rcx] &- 1) & i.addressMask
        let isZero = flags & Flag.zero != 0
        let goesOn = opcode == 0xE2 || isZero == (opcode == 0xE1)
        // RCX changes only if the jump succeeds.
        if count != 0 && goesOn { try jumpNear(rip &+ i.immediate, i.size) }
        setRegister(1, i.addressSize, count)
    }

    /// CALL, JMP and PUSH through a register or memory.
    private mutating func executeGroup5(_ i: Instruction) throws(Trap) {
        let size = i.size
        switch i.group {
        case 2:
            let target = try readRM(i, size)
            try push(rip, size)
            try jumpNear(target, size)
        case 3, 5:
            guard !i.isRegister else { throw .undefined }
            let address = try operandAddress(i, size + 2, write: false)
            let offset = try load(address, size)
            let selector = UInt16(truncatingIfNeeded: try load(advanced(address, UInt64(size)), 2))
            let isCall = i.group == 3
            try atomically { (processor) throws(Trap) in
                try processor.farTransfer(selector, offset, size, isCall: isCall)
            }
        case 4: try jumpNear(try readRM(i, size), size)
        case 6: try push(try readRM(i, size), size)
        default: throw .undefined
        }
    }
}
