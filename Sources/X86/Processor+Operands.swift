// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// A general register's low `size` bytes; byte registers as REX says.
    @inline(__always)
    func readRegister(_ number: UInt8, _ size: UInt8, _ hasREX: Bool) -> UInt64 {
        switch size {
        case 8: return registers[number]
        case 4: return registers[number] & 0xFFFF_FFFF
        case 2: return registers[number] & 0xFFFF
        default:
            if number & 0xC == 4 && !hasREX { return registers[number & 3] >> 8 & 0xFF }
            return registers[number] & 0xFF
        }
    }

    /// Writes a general register: 32-bit writes clear the upper half, narrower ones leave the rest.
    @inline(__always)
    mutating func writeRegister(_ number: UInt8, _ size: UInt8, _ hasREX: Bool, _ value: UInt64) {
        switch size {
        case 8: registers[number] = value
        case 4: registers[number] = value & 0xFFFF_FFFF
        case 2: registers[number] = registers[number] & ~0xFFFF | value & 0xFFFF
        default:
            if number & 0xC == 4 && !hasREX {
                registers[number & 3] = registers[number & 3] & ~0xFF00 | (value & 0xFF) << 8
            } else {
                registers[number] = registers[number] & ~0xFF | value & 0xFF
            }
        }
    }

    /// A word, doubleword or quadword register.
    @inline(__always)
    func register(_ number: UInt8, _ size: UInt8) -> UInt64 { registers[number] & sizeMask(size) }

    /// Writes a register of 2, 4 or 8 bytes.
    @inline(__always)
    mutating func setRegister(_ number: UInt8, _ size: UInt8, _ value: UInt64) {
        writeRegister(number, size, true, value)
    }

    /// The ModRM.reg operand.
    @inline(__always)
    func readReg(_ i: Instruction, _ size: UInt8) -> UInt64 { readRegister(i.reg, size, i.hasREX) }

    @inline(__always)
    mutating func writeReg(_ i: Instruction, _ size: UInt8, _ value: UInt64) {
        writeRegister(i.reg, size, i.hasREX, value)
    }

    /// The ModRM register-or-memory operand.
    @inline(__always)
    mutating func readRM(_ i: Instruction, _ size: UInt8) throws(Trap) -> UInt64 {
        if i.isRegister { return readRegister(i.rm, size, i.hasREX) }
        return try load(try operandAddress(i, size, write: false), size)
    }

    @inline(__always)
    mutating func writeRM(_ i: Instruction, _ size: UInt8, _ value: UInt64) throws(Trap) {
        if i.isRegister {
            writeRegister(i.rm, size, i.hasREX, value)
        } else {
            try store(try operandAddress(i, size, write: true), size, value)
        }
    }

    /// Replaces the register-or-memory operand by a function of itself, which may set flags.
    @inline(__always)
    mutating func modifyRM(
        _ i: Instruction, _ size: UInt8,
        _ change: (inout Processor, UInt64) throws(Trap) -> UInt64
    ) throws(Trap) {
        if i.isRegister {
            let value = try change(&self, readRegister(i.rm, size, i.hasREX))
            writeRegister(i.rm, size, i.hasREX, value)
        } else {
            let address = try operandAddress(i, size, write: true)
            let value = try change(&self, try loadForWrite(address, size))
            try store(address, size, value)
        }
    }
}
