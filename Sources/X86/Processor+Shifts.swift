// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR. OF is as the SDM defines it for a count of 1, and the same formula for others.
    mutating func shift(_ operation: UInt8, _ value: UInt64, _ rawCount: UInt64, _ size: UInt8) -> UInt64 {
        let bits = UInt64(size) * 8
        let count = rawCount & (size == 8 ? 63 : 31)
        if count == 0 { return value }
        switch operation & 7 {
        case 0, 1: return rotate(left: operation & 7 == 0, value, count % bits, bits)
        case 2, 3: return rotateThroughCarry(left: operation & 7 == 2, value, count % (bits + 1), bits)
        case 5:
            let last = count > bits ? 0 : value &>> (count - 1) & 1
            let result = count >= bits ? 0 : value &>> count
            return shifted(result, last, overflow: value &>> (bits - 1), size)
        case 7:
            let wide = signExtend(value, size)
            let signed = Int64(bitPattern: wide)
            let last = UInt64(bitPattern: signed &>> Int64(min(count - 1, 63))) & 1
            let result = UInt64(bitPattern: signed &>> Int64(min(count, 63)))
            return shifted(result, last, overflow: 0, size)
        default:
            let last = count > bits ? 0 : value &>> (bits - count) & 1
            let result = count >= bits ? 0 : (value &<< count) & sizeMask(size)
            return shifted(result, last, overflow: result &>> (bits - 1) & 1 ^ last, size)
        }
    }

    private mutating func shifted(_ result: UInt64, _ carry: UInt64, overflow: UInt64, _ size: UInt8) -> UInt64 {
        setLogicFlags(result, size)
        flags |= carry | (overflow & 1) << 11
        return result & sizeMask(size)
    }

    private mutating func rotate(left: Bool, _ value: UInt64, _ count: UInt64, _ bits: UInt64) -> UInt64 {
        let distance = left ? count : (bits - count) % bits
        let mask = UInt64.max >> (64 - bits)
        let result = distance == 0 ? value : (value &<< distance | value &>> (bits - distance)) & mask
        let top = result &>> (bits - 1) & 1
        let carryOut = left ? result & 1 : top
        let overflow = left ? top ^ carryOut : top ^ (result &>> (bits - 2) & 1)
        flags = flags & ~(Flag.carry | Flag.overflow) | carryOut | overflow << 11
        return result
    }

    private mutating func rotateThroughCarry(
        left: Bool, _ value: UInt64, _ count: UInt64, _ bits: UInt64
    ) -> UInt64 {
        var result = value
        var carry = self.carry
        for _ in 0..<count {
            if left {
                let out = result &>> (bits - 1) & 1
                result = (result << 1 | carry) & (UInt64.max >> (64 - bits))
                carry = out
            } else {
                let out = result & 1
                result = result >> 1 | carry &<< (bits - 1)
                carry = out
            }
        }
        let top = result &>> (bits - 1) & 1
        let overflow = left ? top ^ carry : top ^ (result &>> (bits - 2) & 1)
        flags = flags & ~(Flag.carry | Flag.overflow) | carry | overflow << 11
        return result
    }

    /// SHLD and SHRD. With 16-bit operands and counts over 16 the result is undefined; here it goes on into the first operand.
    mutating func doubleShift(
        left: Bool, _ value: UInt64, _ filler: UInt64, _ rawCount: UInt64, _ size: UInt8
    ) -> UInt64 {
        let bits = UInt64(size) * 8
        let count = rawCount & (size == 8 ? 63 : 31)
        if count == 0 { return value }
        let mask = sizeMask(size)
        var result: UInt64
        let last: UInt64
        if size == 2 {
            // Three words in a row, so that counts over 16 work too.
            if left {
                let row = value << 32 | filler << 16 | value
                result = row >> (32 - count) & mask
                last = row >> (48 - count) & 1
            } else {
                let row = value << 32 | filler << 16 | value
                result = row >> count & mask
                last = row >> (count - 1) & 1
            }
        } else if left {
            result = (value &<< count | filler &>> (bits - count)) & mask
            last = value &>> (bits - count) & 1
        } else {
            result = (value &>> count | filler &<< (bits - count)) & mask
            last = value &>> (count - 1) & 1
        }
        setLogicFlags(result, size)
        flags |= last | ((result ^ value) &>> (bits - 1) & 1) << 11
        return result
    }
}
