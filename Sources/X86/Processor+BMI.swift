// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// VEX-encoded instructions of BMI1 and BMI2 (SDM vol. 2); they don't exist in real and virtual-8086 mode.
    mutating func executeVEX(_ i: Instruction) throws(Trap) {
        if hasRealSegments { throw .undefined }
        if i.prefixes.contains(.vex256) { throw .unsupported }
        let size = i.size
        let isPlain = i.prefixes.isDisjoint(with: [.operandSize, .repeatEqual, .repeatNotEqual])
        let has66 = i.prefixes.contains(.operandSize)
        let hasF3 = i.prefixes.contains(.repeatEqual)
        let hasF2 = i.prefixes.contains(.repeatNotEqual)
        switch i.opcode {
        case 0x5F2 where isPlain:
            let result = ~register(i.vector, size) & (try readRM(i, size)) & sizeMask(size)
            setRegister(i.reg, size, result)
            setLogicFlags(result, size)
        case 0x5F3 where isPlain: try lowestBit(i)
        case 0x5F5 where isPlain: try zeroHighBits(i)
        case 0x5F5 where hasF3:
            setRegister(i.reg, size, Self.extract(register(i.vector, size), try readRM(i, size)))
        case 0x5F5 where hasF2:
            setRegister(i.reg, size, Self.deposit(register(i.vector, size), try readRM(i, size)))
        case 0x5F6 where hasF2:
            let source = try readRM(i, size)
            let product = Self.wideProduct(registers[Register.rdx] & sizeMask(size), source, size, signed: false)
            // When both destinations are one register, it gets the high half.
            setRegister(i.vector, size, product.low)
            setRegister(i.reg, size, product.high)
        case 0x5F7 where isPlain: try extractField(i)
        case 0x5F7 where has66: setRegister(i.reg, size, try readRM(i, size) &<< shiftCount(i))
        case 0x5F7 where hasF3:
            let value = signExtend(try readRM(i, size), size)
            setRegister(i.reg, size, UInt64(bitPattern: Int64(bitPattern: value) &>> Int64(shiftCount(i))))
        case 0x5F7 where hasF2: setRegister(i.reg, size, try readRM(i, size) &>> shiftCount(i))
        case 0x6F0 where hasF2 && i.vector == 0:
            let value = try readRM(i, size)
            let bits = UInt64(size) * 8
            let count = i.immediate & (bits - 1)
            setRegister(i.reg, size, count == 0 ? value : value &>> count | value &<< (bits - count))
        default: throw .unsupported
        }
    }

    private func shiftCount(_ i: Instruction) -> UInt64 { register(i.vector, i.size) & (UInt64(i.size) * 8 - 1) }

    /// BLSR, BLSMSK, BLSI: CF tells whether the source is zero (for BLSI: isn't).
    private mutating func lowestBit(_ i: Instruction) throws(Trap) {
        let value = try readRM(i, i.size)
        let result: UInt64
        switch i.group {
        case 1: result = value & (value &- 1)
        case 2: result = value ^ (value &- 1)
        case 3: result = value & (0 &- value)
        default: throw .undefined
        }
        setRegister(i.vector, i.size, result)
        setLogicFlags(result, i.size)
        setFlag(Flag.carry, (value == 0) != (i.group == 3))
    }

    /// BZHI.
    private mutating func zeroHighBits(_ i: Instruction) throws(Trap) {
        let value = try readRM(i, i.size)
        let index = registers[i.vector] & 0xFF
        let bits = UInt64(i.size) * 8
        let result = index < bits ? value & ((UInt64(1) << index) &- 1) : value
        setRegister(i.reg, i.size, result)
        setLogicFlags(result, i.size)
        setFlag(Flag.carry, index >= bits)
    }

    /// BEXTR.
    private mutating func extractField(_ i: Instruction) throws(Trap) {
        let value = try readRM(i, i.size)
        let start = registers[i.vector] & 0xFF
        let length = registers[i.vector] >> 8 & 0xFF
        let shifted = start < 64 ? value >> start : 0
        let result = (length < 64 ? shifted & ((UInt64(1) << length) - 1) : shifted) & sizeMask(i.size)
        setRegister(i.reg, i.size, result)
        flags = flags & ~Flag.status | (result == 0 ? Flag.zero : 0)
    }

    /// PEXT: the bits of `value` under `mask`, packed.
    static func extract(_ value: UInt64, _ mask: UInt64) -> UInt64 {
        var (result, rest, position) = (UInt64(0), mask, UInt64(0))
        while rest != 0 {
            let bit = UInt64(rest.trailingZeroBitCount)
            result |= (value >> bit & 1) << position
            position += 1
            rest &= rest - 1
        }
        return result
    }

    /// PDEP: the low bits of `value`, spread under `mask`.
    static func deposit(_ value: UInt64, _ mask: UInt64) -> UInt64 {
        var (result, rest, position) = (UInt64(0), mask, UInt64(0))
        while rest != 0 {
            let bit = UInt64(rest.trailingZeroBitCount)
            result |= (value >> position & 1) << bit
            position += 1
            rest &= rest - 1
        }
        return result
    }
}
