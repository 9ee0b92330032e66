// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Extended {
    init(integer: Int64) {
        guard integer != 0 else {
            self = .zero
            return
        }
        let magnitude = integer.magnitude
        let shift = magnitude.leadingZeroBitCount
        self.init(
            isNegative: integer < 0, exponent: Extended.bias + 63 - shift, significand: magnitude << UInt64(shift))
    }

    /// A packed decimal of 18 digits and a sign, FBLD's format (SDM vol. 1, 4.7).
    init(decimalLow low: UInt64, high: UInt16) {
        var value: Int64 = 0
        for shift in [4, 0] as [UInt16] { value = value * 10 + Int64(high >> shift & 15) }
        for shift in stride(from: UInt64(60), through: 0, by: -4) { value = value &* 10 &+ Int64(low >> shift & 15) }
        self = Extended(integer: value).withSign(high & 0x8000 != 0)
    }
}

/// Between registers and memory's formats.
extension FloatControl {
    /// A float of 4 or 8 bytes, as FLD and the arithmetic instructions read it: any is exact in a register.
    mutating func load(bits: UInt64, size: UInt8) -> Extended {
        let isSingle = size == 4
        let width: UInt64 = isSingle ? 23 : 52
        let isNegative = bits >> (isSingle ? 31 : 63) & 1 != 0
        let greatest = isSingle ? 0xFF : 0x7FF
        let exponent = Int(bits >> width) & greatest
        let fraction = bits & (1 << width - 1)
        if exponent == greatest {
            let significand = Extended.integerBit | fraction << (63 - width)
            return Extended(isNegative: isNegative, exponent: 0x7FFF, significand: significand)
        }
        if exponent == 0 {
            guard fraction != 0 else { return Extended.zero.withSign(isNegative) }
            hasDenormalOperand = true
            let significand = fraction << (63 - width)
            let shift = significand.leadingZeroBitCount
            return Extended(
                isNegative: isNegative, exponent: Extended.bias - greatest / 2 + 1 - shift,
                significand: significand << UInt64(shift))
        }
        return Extended(
            isNegative: isNegative, exponent: exponent - greatest / 2 + Extended.bias,
            significand: Extended.integerBit | fraction << (63 - width))
    }

    /// FST: rounds to 4 or 8 bytes. Nil when an unmasked exception keeps memory as it is.
    mutating func store(_ a: Extended, size: UInt8) -> UInt64? {
        let isSingle = size == 4
        let width: UInt64 = isSingle ? 23 : 52
        let bias = isSingle ? 127 : 1023
        let sign: UInt64 = a.isNegative ? (isSingle ? 1 << 31 : 1 << 63) : 0
        let infinity = UInt64(2 * bias + 1) << width
        if let special = special(a) {
            if raised & Self.invalid != 0 && !isMasked(Self.invalid) { return nil }
            let sign: UInt64 = special.isNegative ? (isSingle ? 1 << 31 : 1 << 63) : 0
            return sign | infinity | (special.significand & ~Extended.integerBit) >> (63 - width)
        }
        if a.isZero { return sign }
        if a.isInfinity { return sign | infinity }
        let rounded = round(Unrounded(a.parts), to: isSingle ? .single : .double)
        if raised & ~masks & (Self.overflow | Self.underflow) != 0 {
            // Nothing was stored, so nothing was rounded either.
            raised &= ~Self.inexact
            isRoundedUp = false
            return nil
        }
        if rounded.isInfinity { return sign | infinity }
        return sign | UInt64(rounded.exponent + bias) << width | (rounded.significand & ~Extended.integerBit)
            >> (63 - width)
    }

    /// FIST: a signed integer of 2, 4 or 8 bytes, the least one if it doesn't fit; nil as for `store`.
    mutating func storeInteger(_ a: Extended, size: UInt8) -> UInt64? {
        let indefinite: UInt64 = 1 << (8 * UInt64(size) - 1)
        guard let (isNegative, magnitude) = integer(a), magnitude < indefinite || isNegative && magnitude == indefinite
        else {
            raised = raised & ~Self.inexact | Self.invalid
            isRoundedUp = false
            return isMasked(Self.invalid) ? indefinite : nil
        }
        return isNegative ? 0 &- magnitude : magnitude
    }

    /// FBSTP's ten bytes.
    mutating func storeDecimal(_ a: Extended) -> (low: UInt64, high: UInt16)? {
        guard let (_, magnitude) = integer(a), magnitude < 1_000_000_000_000_000_000 else {
            raised = raised & ~Self.inexact | Self.invalid
            isRoundedUp = false
            return isMasked(Self.invalid) ? (0xC000_0000_0000_0000, 0xFFFF) : nil
        }
        var rest = magnitude
        var low: UInt64 = 0
        for digit in 0..<UInt64(16) {
            low |= (rest % 10) << (4 * digit)
            rest /= 10
        }
        return (low, UInt16((rest / 10) << 4 | rest % 10) | (a.isNegative ? 0x8000 : 0))
    }

    /// Rounds to an integer of 64 bits and a sign; nil for what isn't a number or is greater.
    private mutating func integer(_ a: Extended) -> (isNegative: Bool, magnitude: UInt64)? {
        if a.isUnsupported || !a.isFinite { return nil }
        if a.isZero { return (a.isNegative, 0) }
        let x = a.parts
        guard x.exponent < 64 else { return nil }
        let (value, isExact) = integerPart(x)
        if !isExact { raise(Self.inexact) }
        return (a.isNegative, value)
    }

    enum Order { case less, equal, greater, unordered }

    /// Compares; quiet NaNs are an invalid operation unless `isQuiet`.
    mutating func compare(_ a: Extended, _ b: Extended, isQuiet: Bool) -> Order {
        if a.isUnsupported || b.isUnsupported {
            raise(Self.invalid)
            return .unordered
        }
        if a.isNaN || b.isNaN {
            if !isQuiet || a.isSignalingNaN || b.isSignalingNaN { raise(Self.invalid) }
            return .unordered
        }
        noteDenormals(a, b)
        if a.isZero && b.isZero { return .equal }
        if a.isNegative != b.isNegative { return a.isNegative ? .less : .greater }
        // A pseudo-denormal is the number that the least normal exponent has.
        let x = (max(a.biasedExponent, 1), a.significand)
        let y = (max(b.biasedExponent, 1), b.significand)
        if x == y { return .equal }
        return (x < y) != a.isNegative ? .less : .greater
    }
}
