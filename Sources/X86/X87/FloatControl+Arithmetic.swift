// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// FADD, FSUB, FMUL, FDIV and FSQRT.
extension FloatControl {
    /// The operations of D8's ModRM.reg field: 0 ADD, 1 MUL, 4 SUB, 5 SUBR, 6 DIV, 7 DIVR.
    mutating func arithmetic(_ operation: UInt8, _ a: Extended, _ b: Extended) -> Extended {
        if let special = special(a, b) { return special }
        switch operation {
        case 0: return add(a, b)
        case 1: return multiply(a, b)
        case 4: return add(a, b.negated)
        case 5: return add(b, a.negated)
        case 6: return divide(a, b)
        default: return divide(b, a)
        }
    }

    private mutating func add(_ a: Extended, _ b: Extended) -> Extended {
        if a.isInfinity || b.isInfinity {
            if a.isInfinity && b.isInfinity && a.isNegative != b.isNegative { return invalidOperation() }
            noteDenormals(a, b)
            return a.isInfinity ? a : b
        }
        noteDenormals(a, b)
        if a.isZero && b.isZero {
            return a.isNegative == b.isNegative ? a : Extended.zero.withSign(rounding == .down)
        }
        if a.isZero { return extended(Unrounded(b.parts), bits: precision) }
        if b.isZero { return extended(Unrounded(a.parts), bits: precision) }
        var (large, small) = (a.parts, b.parts)
        if (small.exponent, small.significand) > (large.exponent, large.significand) { swap(&large, &small) }
        // A bit is left above for the carry: the significands' top bit is 126.
        let first = UInt128(large.significand) << 63
        let second = shiftedWithSticky(UInt128(small.significand) << 63, large.exponent - small.exponent)
        let sum = large.isNegative == small.isNegative ? first + second : first - second
        guard sum != 0 else { return Extended.zero.withSign(rounding == .down) }
        return extended(
            Unrounded(isNegative: large.isNegative, exponent: large.exponent + 1, normalising: sum), bits: precision)
    }

    private mutating func multiply(_ a: Extended, _ b: Extended) -> Extended {
        let isNegative = a.isNegative != b.isNegative
        if a.isInfinity || b.isInfinity {
            if a.isZero || b.isZero { return invalidOperation() }
            noteDenormals(a, b)
            return Extended.infinity.withSign(isNegative)
        }
        noteDenormals(a, b)
        if a.isZero || b.isZero { return Extended.zero.withSign(isNegative) }
        let (x, y) = (a.parts, b.parts)
        let product = UInt128(x.significand) * UInt128(y.significand)
        return extended(
            Unrounded(isNegative: isNegative, exponent: x.exponent + y.exponent + 1, normalising: product),
            bits: precision)
    }

    private mutating func divide(_ a: Extended, _ b: Extended) -> Extended {
        let isNegative = a.isNegative != b.isNegative
        if a.isInfinity {
            if b.isInfinity { return invalidOperation() }
            noteDenormals(a, b)
            return Extended.infinity.withSign(isNegative)
        }
        if b.isZero {
            if a.isZero { return invalidOperation() }
            raise(Self.zeroDivide)
            return Extended.infinity.withSign(isNegative)
        }
        noteDenormals(a, b)
        if a.isZero || b.isInfinity { return Extended.zero.withSign(isNegative) }
        let (x, y) = (a.parts, b.parts)
        // 125 bits of quotient: 63 first, then 62 from the remainder.
        let divisor = UInt128(y.significand)
        let (high, rest) = (UInt128(x.significand) << 63).quotientAndRemainder(dividingBy: divisor)
        let (low, last) = (rest << 62).quotientAndRemainder(dividingBy: divisor)
        let quotient = high << 62 | low | (last == 0 ? 0 : 1)
        return extended(
            Unrounded(isNegative: isNegative, exponent: x.exponent - y.exponent + 2, normalising: quotient),
            bits: precision)
    }

    mutating func squareRoot(_ a: Extended) -> Extended {
        if let special = special(a) { return special }
        if a.isZero { return a }
        if a.isNegative { return invalidOperation() }
        if a.isInfinity { return a }
        noteDenormals(a, a)
        let x = a.parts
        // An even exponent, so that the root's is half of it.
        let isOdd = x.exponent & 1 != 0
        let radicand = UInt128(x.significand) << (isOdd ? 64 : 63)
        let root = Self.integerRoot(radicand)
        let rest = radicand - root * root
        // The root's fraction is above one half if the rest exceeds the root; it is never one half.
        let significand = root << 64 | (rest > root ? 1 << 63 : 0) | (rest == 0 ? 0 : 1)
        let exponent = (x.exponent - (isOdd ? 1 : 0)) / 2
        return extended(
            Unrounded(isNegative: false, exponent: exponent, normalising: significand), bits: precision)
    }

    /// The greatest integer whose square doesn't exceed `value`, bit by bit.
    private static func integerRoot(_ value: UInt128) -> UInt128 {
        var root: UInt128 = 0
        for bit in (0..<64).reversed() {
            let candidate = root | 1 << UInt128(bit)
            if candidate * candidate <= value { root = candidate }
        }
        return root
    }
}
