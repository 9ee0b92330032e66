// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// BT, BTS, BTR, BTC (operation 0 to 3) with the bit's number in a register: in memory it reaches beyond the operand.
    mutating func bitTest(_ i: Instruction, _ operation: UInt8, _ number: UInt64) throws(Trap) {
        let size = i.size
        let bits = UInt64(size) * 8
        let bit = number & (bits - 1)
        if i.isRegister {
            let value = register(i.rm, size)
            let result = bitChanged(operation, value, bit)
            if operation != 0 { setRegister(i.rm, size, result) }
            return
        }
        let words = Int64(bitPattern: signExtend(number, size)) >> Int64(size.trailingZeroBitCount + 3)
        let distance = UInt64(bitPattern: words &* Int64(size))
        let address = try linear(i.segment, (offset(i) &+ distance) & i.addressMask, size, write: operation != 0)
        if operation == 0 {
            _ = bitChanged(0, try load(address, size), bit)
        } else {
            let value = try loadForWrite(address, size)
            try store(address, size, bitChanged(operation, value, bit))
        }
    }

    /// The same with an immediate number, which stays within the operand.
    mutating func bitTestImmediate(_ i: Instruction) throws(Trap) {
        let operation = i.group - 4
        let bit = i.immediate & (UInt64(i.size) * 8 - 1)
        if operation == 0 {
            _ = bitChanged(0, try readRM(i, i.size), bit)
        } else {
            try modifyRM(i, i.size) { processor, value in processor.bitChanged(operation, value, bit) }
        }
    }

    private mutating func bitChanged(_ operation: UInt8, _ value: UInt64, _ bit: UInt64) -> UInt64 {
        setFlag(Flag.carry, value >> bit & 1 != 0)
        let mask = UInt64(1) << bit
        switch operation {
        case 1: return value | mask
        case 2: return value & ~mask
        case 3: return value ^ mask
        default: return value
        }
    }

    /// BSF and BSR: a zero source leaves the destination as it is.
    mutating func bitScan(_ i: Instruction, reverse: Bool) throws(Trap) {
        let value = try readRM(i, i.size)
        setLogicFlags(value, i.size)
        guard value != 0 else { return }
        let number = reverse ? 63 - value.leadingZeroBitCount : value.trailingZeroBitCount
        setLogicFlags(UInt64(number), i.size)
        flags &= ~Flag.zero
        setRegister(i.reg, i.size, UInt64(number))
    }

    /// TZCNT and LZCNT: CF for a zero source, ZF for a zero result.
    mutating func countZeros(_ i: Instruction, leading: Bool) throws(Trap) {
        let value = try readRM(i, i.size)
        let bits = UInt64(i.size) * 8
        let count: UInt64
        if value == 0 {
            count = bits
        } else if leading {
            count = UInt64(value.leadingZeroBitCount) - (64 - bits)
        } else {
            count = UInt64(value.trailingZeroBitCount)
        }
        setRegister(i.reg, i.size, count)
        setFlag(Flag.carry, value == 0)
        setFlag(Flag.zero, count == 0)
    }

    /// POPCNT.
    mutating func countOnes(_ i: Instruction) throws(Trap) {
        let value = try readRM(i, i.size)
        setRegister(i.reg, i.size, UInt64(value.nonzeroBitCount))
        flags = flags & ~Flag.status | (value == 0 ? Flag.zero : 0)
    }

    /// CRC32 (the Castagnoli polynomial, reflected).
    mutating func crc32(_ i: Instruction, _ size: UInt8) throws(Trap) {
        let data = try readRM(i, size)
        var crc = UInt32(truncatingIfNeeded: registers[i.reg])
        for index in 0..<UInt64(size) {
            crc ^= UInt32(truncatingIfNeeded: data >> (8 * index) & 0xFF)
            for _ in 0..<8 { crc = crc & 1 != 0 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        registers[i.reg] = UInt64(crc)
    }
}
