// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// FPREM, FPREM1, FSCALE, FXTRACT and FRNDINT.
extension FloatControl {
    struct Remainder {
        var value: Extended
        /// The quotient's low bits.
        var quotient: UInt64 = 0
        /// Whether this is the remainder already, or only closer to it.
        var isComplete = true
        /// Whether there were two numbers to divide.
        var isValid = true
    }

    /// FPREM (quotient rounded towards zero) and FPREM1 (to nearest), which reduce the exponent by at most 63.
    mutating func remainder(_ a: Extended, _ b: Extended, toNearest: Bool) -> Remainder {
        if let special = special(a, b) { return Remainder(value: special, isValid: false) }
        if a.isInfinity || b.isZero { return Remainder(value: invalidOperation(), isValid: false) }
        noteDenormals(a, b)
        if a.isZero { return Remainder(value: a) }
        if b.isInfinity { return Remainder(value: extended(Unrounded(a.parts))) }
        let (x, y) = (a.parts, b.parts)
        let distance = x.exponent - y.exponent
        let divisor = UInt128(y.significand)
        if distance >= 64 {
            let step = distance & 31 | 32
            let rest = (UInt128(x.significand) << UInt128(step)) % divisor
            return Remainder(
                value: exact(x.isNegative, rest, exponent: x.exponent - step), isComplete: false)
        }
        if distance < -1 || distance < 0 && !toNearest { return Remainder(value: extended(Unrounded(x))) }
        var quotient: UInt128 = 0
        var rest = UInt128(x.significand)
        var isNegative = x.isNegative
        // What rest and divisor are multiples of, as bit 0's weight.
        var exponent = y.exponent
        var whole = divisor
        if distance < 0 {
            (exponent, whole) = (x.exponent, divisor << 1)
        } else {
            (quotient, rest) = (rest << UInt128(distance)).quotientAndRemainder(dividingBy: divisor)
        }
        if toNearest, rest * 2 > whole || rest * 2 == whole && quotient & 1 != 0 {
            rest = whole - rest
            quotient += 1
            isNegative.toggle()
        }
        let value =
            rest == 0 ? Extended.zero.withSign(x.isNegative) : exact(isNegative, rest, exponent: exponent)
        return Remainder(value: value, quotient: UInt64(truncatingIfNeeded: quotient))
    }

    /// rest · 2^(exponent − 63), which needs no rounding unless it is tiny.
    private mutating func exact(_ isNegative: Bool, _ rest: UInt128, exponent: Int) -> Extended {
        guard rest != 0 else { return Extended.zero.withSign(isNegative) }
        return extended(Unrounded(isNegative: isNegative, exponent: exponent + 64, normalising: rest))
    }

    /// a · 2^trunc(b).
    mutating func scale(_ a: Extended, _ b: Extended) -> Extended {
        if let special = special(a, b) { return special }
        if b.isInfinity {
            if b.isNegative ? a.isInfinity : a.isZero { return invalidOperation() }
            noteDenormals(a, b)
            return (b.isNegative ? Extended.zero : a.isZero ? a : .infinity).withSign(a.isNegative)
        }
        noteDenormals(a, b)
        if a.isInfinity || a.isZero { return a }
        var value = Unrounded(a.parts)
        if !b.isZero {
            let y = b.parts
            // More than this overflows or underflows whatever is scaled.
            let distance =
                y.exponent < 0 ? 0 : y.exponent > 16 ? 0x1_8000 : Int(y.significand >> UInt64(63 - y.exponent))
            value.exponent += y.isNegative ? -distance : distance
        }
        return extended(value)
    }

    /// The exponent as a number, and the significand with exponent 0.
    mutating func extract(_ a: Extended) -> (exponent: Extended, significand: Extended) {
        if let special = special(a) { return (special, special) }
        if a.isInfinity { return (.infinity, a) }
        if a.isZero {
            raise(Self.zeroDivide)
            return (Extended.infinity.negated, a)
        }
        noteDenormals(a, a)
        let x = a.parts
        return (
            Extended(integer: Int64(x.exponent)),
            Extended(isNegative: x.isNegative, exponent: Extended.bias, significand: x.significand)
        )
    }

    /// Rounds to an integer.
    mutating func roundToInteger(_ a: Extended) -> Extended {
        if let special = special(a) { return special }
        if a.isZero || a.isInfinity { return a }
        noteDenormals(a, a)
        let x = a.parts
        if x.exponent >= 63 { return a }
        let (integer, isExact) = integerPart(x)
        if !isExact { raise(Self.inexact) }
        guard integer != 0 else { return Extended.zero.withSign(x.isNegative) }
        let shift = integer.leadingZeroBitCount
        return Extended(
            isNegative: x.isNegative, exponent: Extended.bias + 63 - shift, significand: integer << UInt64(shift))
    }

    /// The magnitude rounded to an integer; the exponent must be less than 64. Sets `isRoundedUp`.
    mutating func integerPart(
        _ x: (isNegative: Bool, exponent: Int, significand: UInt64)
    ) -> (value: UInt64, isExact: Bool) {
        // Fixed point: the integer above bit 64, the fraction below.
        let fixed = shiftedWithSticky(UInt128(x.significand) << 64, 63 - x.exponent)
        let fraction = UInt64(truncatingIfNeeded: fixed)
        var integer = UInt64(truncatingIfNeeded: fixed >> 64)
        let half: UInt64 = 1 << 63
        isRoundedUp =
            switch rounding {
            case .nearest: fraction > half || fraction == half && integer & 1 != 0
            case .down: fraction != 0 && x.isNegative
            case .up: fraction != 0 && !x.isNegative
            case .zero: false
            }
        // Can't overflow: a number with 64 bits before the point has none after it.
        if isRoundedUp { integer += 1 }
        return (integer, fraction == 0)
    }
}
