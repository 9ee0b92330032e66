// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// MUL and IMUL with one operand: AX, DX:AX, EDX:EAX or RDX:RAX.
    mutating func multiplyWide(_ operand: UInt64, _ size: UInt8, signed: Bool) {
        let a = registers[Register.rax] & sizeMask(size)
        let (high, low) = Self.wideProduct(a, operand, size, signed: signed)
        let overflows = signed ? high != (signExtend(low, size) >> 63 == 0 ? 0 : sizeMask(size)) : high != 0
        if size == 1 {
            setRegister(0, 2, high << 8 | low)
        } else {
            setRegister(0, size, low)
            setRegister(2, size, high)
        }
        setProductFlags(low, size, overflows)
    }

    /// IMUL with two or three operands.
    mutating func multiplySigned(_ a: UInt64, _ b: UInt64, _ size: UInt8) -> UInt64 {
        let (high, low) = Self.wideProduct(a & sizeMask(size), b & sizeMask(size), size, signed: true)
        setProductFlags(low, size, high != (signExtend(low, size) >> 63 == 0 ? 0 : sizeMask(size)))
        return low
    }

    private mutating func setProductFlags(_ low: UInt64, _ size: UInt8, _ overflows: Bool) {
        setLogicFlags(low, size)
        if overflows { flags |= Flag.carry | Flag.overflow }
    }

    /// The two halves of a product, each of `size` bytes.
    static func wideProduct(_ a: UInt64, _ b: UInt64, _ size: UInt8, signed: Bool) -> (high: UInt64, low: UInt64) {
        if size == 8 {
            if signed {
                let product = Int64(bitPattern: a).multipliedFullWidth(by: Int64(bitPattern: b))
                return (UInt64(bitPattern: product.high), product.low)
            }
            let product = a.multipliedFullWidth(by: b)
            return (product.high, product.low)
        }
        let product = signed ? signExtend(a, size) &* signExtend(b, size) : a &* b
        return (product &>> (8 &* UInt64(size)) & sizeMask(size), product & sizeMask(size))
    }

    /// DIV and IDIV; #DE on a zero divisor or a quotient that doesn't fit. Flags stay as they are (they are undefined).
    mutating func divide(by divisor: UInt64, _ size: UInt8, signed: Bool) throws(Trap) {
        guard divisor != 0 else { throw .divide }
        let mask = sizeMask(size)
        let low: UInt64
        let high: UInt64
        if size == 1 {
            low = registers[Register.rax] & 0xFF
            high = registers[Register.rax] >> 8 & 0xFF
        } else {
            low = registers[Register.rax] & mask
            high = registers[Register.rdx] & mask
        }
        let bits = 8 * UInt64(size)
        // The dividend as 128 bits, then magnitudes.
        var upper: UInt64
        var lower: UInt64
        if size == 8 {
            (upper, lower) = (high, low)
        } else {
            lower = high << bits | low
            upper = 0
            if signed {
                if size < 4 { lower = signExtend(lower, size * 2) }
                upper = UInt64(bitPattern: Int64(bitPattern: lower) >> 63)
            }
        }
        let isNegative = signed && upper >> 63 != 0
        let divisorIsNegative = signed && divisor >> (bits - 1) & 1 != 0
        if isNegative {
            lower = 0 &- lower
            upper = ~upper &+ (lower == 0 ? 1 : 0)
        }
        let magnitude = divisorIsNegative ? (0 &- signExtend(divisor, size)) : divisor
        guard upper < magnitude else { throw .divide }
        var (quotient, remainder) = magnitude.dividingFullWidth((upper, lower))
        if signed {
            let negates = isNegative != divisorIsNegative
            let limit = UInt64(1) << (bits - 1)
            guard quotient <= (negates ? limit : limit - 1) else { throw .divide }
            if negates { quotient = 0 &- quotient }
            if isNegative { remainder = 0 &- remainder }
        } else {
            guard quotient <= mask else { throw .divide }
        }
        if size == 1 {
            setRegister(0, 2, quotient & 0xFF | (remainder & 0xFF) << 8)
        } else {
            setRegister(0, size, quotient & mask)
            setRegister(2, size, remainder & mask)
        }
    }
}
