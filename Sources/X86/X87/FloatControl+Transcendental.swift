// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

/// The host's widest float: the x87's own where the host has one.
#if arch(x86_64) || arch(i386)
    private typealias Wide = Float80
#else
    private typealias Wide = Double
#endif

extension Wide {
    fileprivate init(_ a: Extended) {
        if a.isZero {
            self = a.isNegative ? -0.0 : 0
        } else if a.isInfinity {
            self = a.isNegative ? -.infinity : .infinity
        } else {
            let parts = a.parts
            self.init(
                sign: parts.isNegative ? .minus : .plus, exponent: parts.exponent - 63,
                significand: Wide(parts.significand))
        }
    }

    fileprivate var parts: (isNegative: Bool, exponent: Int, significand: UInt64) {
        (self < 0, Int(exponent), UInt64(significand.magnitude * 0x1p63))
    }

    /// The product with a constant whose significand has 128 bits, as a sum of two.
    fileprivate func times(_ high: UInt64, _ low: UInt64, exponent: Int) -> (high: Wide, low: Wide) {
        let upper = Wide(sign: .plus, exponent: exponent - 63, significand: Wide(high))
        let lower = Wide(sign: .plus, exponent: exponent - 127, significand: Wide(low))
        let product = self * upper
        return (product, (-product).addingProduct(self, upper) + self * lower)
    }
    fileprivate var timesLog2E: (high: Wide, low: Wide) {
        times(0xB8AA_3B29_5C17_F0BB, 0xBE87_FED0_691D_3E88, exponent: 0)
    }
    fileprivate var timesLn2: (high: Wide, low: Wide) {
        times(0xB172_17F7_D1CF_79AB, 0xC9E3_B398_03F2_F6AF, exponent: -1)
    }
}

/// F2XM1, FYL2X, FYL2XP1, FPTAN, FPATAN, FSIN and FCOS, on the host's mathematical library: within about one unit in the last place,
/// as on a processor, but not always the same bits. Rounding is to nearest and 64 bits wide; arguments are reduced exactly, where
/// processors have a pi of 66 bits.
extension FloatControl {
    /// A result that isn't exact: `value` · 2^`scale`.
    private mutating func approximation(_ value: Wide, scale: Int = 0) -> Extended {
        var result = Unrounded(value.parts)
        result.exponent += scale
        return approximation(result)
    }

    private mutating func approximation(_ value: Unrounded) -> Extended {
        var value = value
        value.significand |= 1
        let saved = rounding
        rounding = .nearest
        defer {
            rounding = saved
            isRoundedUp = false
        }
        return extended(value)
    }

    /// 2^x − 1 for −1 ≤ x ≤ 1; greater arguments stay as they are.
    mutating func exponential(_ a: Extended) -> Extended {
        if let special = special(a) { return special }
        if a.isZero { return a }
        if a.isInfinity { return a.isNegative ? Extended.one.negated : a }
        noteDenormals(a, a)
        let x = a.parts
        if x.exponent >= 0 {
            guard a.magnitude == .one else { return approximation(Unrounded(x)) }
            return a.isNegative ? Extended(head: 0xBFFE, significand: Extended.integerBit) : a
        }
        if x.exponent < -80 {
            // x · ln 2, which may be too small for the host.
            var tiny = Unrounded(x)
            tiny = Unrounded(
                isNegative: x.isNegative, exponent: x.exponent,
                normalising: UInt128(x.significand) * 0xB172_17F7_D1CF_79AC)
            return approximation(tiny)
        }
        let exponent = Wide(a).timesLn2
        let power = expm1(exponent.high)
        return approximation(power + exponent.low * (1 + power))
    }

    /// y · log2 x.
    mutating func logarithm(_ x: Extended, times y: Extended) -> Extended {
        if let special = special(x, y) { return special }
        if x.isNegative && !x.isZero { return invalidOperation() }
        if x.isZero {
            if y.isZero { return invalidOperation() }
            if !y.isInfinity {
                raise(Self.zeroDivide)
                noteDenormals(y, y)
            }
            return Extended.infinity.withSign(!y.isNegative)
        }
        if x.isInfinity {
            if y.isZero { return invalidOperation() }
            noteDenormals(y, y)
            return Extended.infinity.withSign(y.isNegative)
        }
        let parts = x.parts
        let isPower = parts.significand == Extended.integerBit
        let isNegative = (parts.exponent < 0) != y.isNegative
        if y.isInfinity {
            if isPower && parts.exponent == 0 { return invalidOperation() }
            noteDenormals(x, x)
            return Extended.infinity.withSign(isNegative)
        }
        noteDenormals(x, y)
        if y.isZero { return Extended.zero.withSign(isNegative) }
        if isPower {
            if parts.exponent == 0 { return Extended.zero.withSign(y.isNegative) }
            return wideProduct(Extended(integer: Int64(parts.exponent)), y)
        }
        return approximation(log2(Wide(x)), timesScaled: y)
    }

    /// y · log2 (x + 1).
    mutating func logarithmPlusOne(_ x: Extended, times y: Extended) -> Extended {
        if let special = special(x, y) { return special }
        let isBelow = x.isNegative && !x.isZero && (x.isInfinity || x.parts.exponent >= 0)
        if isBelow { return invalidOperation() }
        if x.isInfinity || y.isInfinity {
            if x.isZero || y.isZero { return invalidOperation() }
            noteDenormals(x, y)
            return Extended.infinity.withSign(x.isNegative != y.isNegative)
        }
        noteDenormals(x, y)
        if x.isZero || y.isZero { return Extended.zero.withSign(x.isNegative != y.isNegative) }
        if x.parts.exponent < -70 {
            // x · log2 e, with the exponent apart.
            let small = Extended(isNegative: x.isNegative, exponent: Extended.bias, significand: x.parts.significand)
            let product = Wide(small).timesLog2E
            return approximation(product.high + product.low, timesScaled: y, scale: x.parts.exponent)
        }
        let product = log1p(Wide(x)).timesLog2E
        return approximation(product.high + product.low, timesScaled: y)
    }

    /// a · y, where y may be too large or too small for the host's arithmetic.
    private mutating func approximation(_ a: Wide, timesScaled y: Extended, scale: Int = 0) -> Extended {
        let parts = y.parts
        let factor = Extended(isNegative: y.isNegative, exponent: Extended.bias, significand: parts.significand)
        return approximation(a * Wide(factor), scale: parts.exponent + scale)
    }

    private mutating func wideProduct(_ a: Extended, _ b: Extended) -> Extended {
        let saved = precision
        precision = 64
        defer { precision = saved }
        return arithmetic(1, a, b)
    }

    enum Circular { case sine, cosine, tangent }

    /// Sine, cosine or tangent; nil when the argument is too large (|x| ≥ 2^63) and C2 says so.
    mutating func circular(_ function: Circular, _ a: Extended) -> Extended? {
        if let special = special(a) { return special }
        if a.isInfinity { return invalidOperation() }
        if a.isZero { return function == .cosine ? .one : a }
        noteDenormals(a, a)
        let x = a.parts
        if x.exponent >= 63 { return nil }
        // Below 2^-40, the series' second term doesn't show.
        if x.exponent < -40 { return approximation(Unrounded(function == .cosine ? Extended.one.parts : x)) }
        return switch function {
        case .sine: approximation(sin(Wide(a)))
        case .cosine: approximation(cos(Wide(a)))
        case .tangent: approximation(tan(Wide(a)))
        }
    }

    /// The angle of the point (x, y).
    mutating func arcTangent(_ y: Extended, _ x: Extended) -> Extended {
        if let special = special(y, x) { return special }
        noteDenormals(x, y)
        if !x.isNegative {
            if y.isZero || x.isInfinity && !y.isInfinity { return Extended.zero.withSign(y.isNegative) }
            if !x.isZero, !x.isInfinity, !y.isInfinity, y.parts.exponent - x.parts.exponent < -70 {
                // The quotient itself, which may be too small for the host.
                let saved = (precision, rounding)
                (precision, rounding) = (64, .nearest)
                defer { (precision, rounding) = saved }
                let quotient = arithmetic(6, y, x)
                isRoundedUp = false
                raise(Self.inexact)
                return quotient
            }
        }
        return approximation(atan2(Wide(y), Wide(x)))
    }
}
