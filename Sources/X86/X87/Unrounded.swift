// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A finite number other than zero before it is rounded: ±significand · 2^(exponent − 127), with the significand's top bit set and
/// everything below its bit 0 or-ed into that.
struct Unrounded {
    var isNegative: Bool
    var exponent: Int
    var significand: UInt128

    /// - Parameter exponent: of bit 127 of a significand that need not be normalised, but isn't zero.
    init(isNegative: Bool, exponent: Int, normalising significand: UInt128) {
        let shift = significand.leadingZeroBitCount
        self.isNegative = isNegative
        self.exponent = exponent - shift
        self.significand = significand << UInt128(shift)
    }

    init(_ parts: (isNegative: Bool, exponent: Int, significand: UInt64)) {
        isNegative = parts.isNegative
        exponent = parts.exponent
        significand = UInt128(parts.significand) << 64
    }
}

/// A floating-point format that results are rounded to.
struct FloatFormat {
    var precision: Int
    var leastExponent: Int
    var greatestExponent: Int

    static let single = FloatFormat(precision: 24, leastExponent: -126, greatestExponent: 127)
    static let double = FloatFormat(precision: 53, leastExponent: -1022, greatestExponent: 1023)
    static func extended(_ precision: Int) -> FloatFormat {
        FloatFormat(precision: precision, leastExponent: -16382, greatestExponent: 16383)
    }
}

/// A number in a format: with the exponent below the least when it is denormal or zero.
struct Rounded {
    var isNegative: Bool
    var exponent: Int
    /// The integer bit is bit 63, whatever the precision.
    var significand: UInt64
    var isInfinity = false
}

/// Shifts right, or-ing what falls out into bit 0.
func shiftedWithSticky(_ value: UInt128, _ count: Int) -> UInt128 {
    if count <= 0 { return value }
    if count > 127 { return value == 0 ? 0 : 1 }
    let lost = value & ((1 << UInt128(count)) - 1)
    return value >> UInt128(count) | (lost == 0 ? 0 : 1)
}

extension FloatControl {
    /// Keeps the top `bits` of a significand. Gives bit 63 as the top one, and whether it carried out of that.
    private func keep(
        _ significand: UInt128, _ bits: Int, _ isNegative: Bool
    ) -> (significand: UInt64, carries: Bool, isInexact: Bool, isUp: Bool) {
        let dropped = UInt128(128 - bits)
        let rest = significand & ((1 << dropped) - 1)
        let half: UInt128 = 1 << (dropped - 1)
        var kept = significand >> dropped
        let isUp =
            switch rounding {
            case .nearest: rest > half || rest == half && kept & 1 != 0
            case .down: rest != 0 && isNegative
            case .up: rest != 0 && !isNegative
            case .zero: false
            }
        if isUp { kept += 1 }
        let carries = kept >> UInt128(bits) != 0
        if carries { kept >>= 1 }
        return (UInt64(kept) << UInt64(64 - bits), carries, rest != 0, isUp)
    }

    /// Rounds to a format and raises overflow, underflow and inexact.
    ///
    /// Unmasked overflow and underflow give a register the result with its exponent moved by 24,576, and nothing to
    /// memory (SDM vol. 1, 8.5.4 and 8.5.5).
    mutating func round(_ value: Unrounded, to format: FloatFormat) -> Rounded {
        var (significand, carries, isInexact, isUp) = keep(value.significand, format.precision, value.isNegative)
        var exponent = value.exponent + (carries ? 1 : 0)
        var isInfinity = false
        // Tininess is detected after rounding, as if exponents had no bounds. SDM vol. 1, 4.9.1.5.
        if exponent < format.leastExponent {
            if !isMasked(Self.underflow) {
                raise(Self.underflow)
                exponent += 24576
            } else {
                let denormal = shiftedWithSticky(value.significand, format.leastExponent - value.exponent)
                (significand, carries, isInexact, isUp) = keep(denormal, format.precision, value.isNegative)
                // Rounding up may have made it the least normal number.
                exponent = significand >> 63 != 0 ? format.leastExponent : format.leastExponent - 1
                if isInexact { raise(Self.underflow) }
            }
        } else if exponent > format.greatestExponent {
            raise(Self.overflow)
            if !isMasked(Self.overflow) {
                exponent -= 24576
            } else {
                isInexact = true
                isInfinity =
                    switch rounding {
                    case .nearest: true
                    case .down: value.isNegative
                    case .up: !value.isNegative
                    case .zero: false
                    }
                isUp = isInfinity
                exponent = format.greatestExponent
                significand = UInt64.max << UInt64(64 - format.precision)
            }
        }
        if isInexact { raise(Self.inexact) }
        isRoundedUp = isInexact && isUp
        return Rounded(
            isNegative: value.isNegative, exponent: exponent, significand: significand, isInfinity: isInfinity)
    }

    /// Rounds to a register's format with `bits` of significand.
    mutating func extended(_ value: Unrounded, bits: Int = 64) -> Extended {
        let rounded = round(value, to: .extended(bits))
        if rounded.isInfinity { return Extended.infinity.withSign(rounded.isNegative) }
        // The exponent of an unmasked overflow or underflow can still be out of bounds, after FSCALE: SDM vol. 2, "FSCALE".
        let exponent = rounded.exponent + Extended.bias
        if exponent > 0x7FFE || exponent < 0 {
            raise(Self.inexact)
            isRoundedUp = exponent > 0
        }
        if exponent > 0x7FFE { return Extended.infinity.withSign(rounded.isNegative) }
        if exponent < 0 { return Extended.zero.withSign(rounded.isNegative) }
        return Extended(isNegative: rounded.isNegative, exponent: exponent, significand: rounded.significand)
    }
}
