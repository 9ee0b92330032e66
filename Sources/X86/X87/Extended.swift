// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A number in the x87's format of 80 bits: sign, 15 bits of biased exponent, 64 of significand with its integer bit
/// (SDM vol. 1, 4.2.2). Arithmetic is done in integers: rounding and exceptions are then the same on every host.
struct Extended: Equatable {
    static let bias = 16383
    static let greatestExponent: UInt16 = 0x7FFF
    static let integerBit: UInt64 = 1 << 63
    static let quietBit: UInt64 = 1 << 62

    /// Sign in bit 15.
    var head: UInt16
    var significand: UInt64

    init(head: UInt16, significand: UInt64) {
        self.head = head
        self.significand = significand
    }

    init(isNegative: Bool, exponent: Int, significand: UInt64) {
        head = UInt16(exponent) | (isNegative ? 0x8000 : 0)
        self.significand = significand
    }

    /// A register's image as FXSAVE has it.
    init(_ image: Vector) { self.init(head: UInt16(truncatingIfNeeded: image[1]), significand: image[0]) }
    var image: Vector { Vector(significand, UInt64(head)) }

    var isNegative: Bool { head & 0x8000 != 0 }
    var biasedExponent: UInt16 { head & 0x7FFF }

    var isZero: Bool { biasedExponent == 0 && significand == 0 }
    /// Denormals, and "pseudo-denormals", whose integer bit is set.
    var isDenormal: Bool { biasedExponent == 0 && significand != 0 }
    var isInfinity: Bool { biasedExponent == Self.greatestExponent && significand == Self.integerBit }
    var isNaN: Bool { biasedExponent == Self.greatestExponent && significand > Self.integerBit }
    var isSignalingNaN: Bool { isNaN && significand & Self.quietBit == 0 }
    /// Encodings without an integer bit that were numbers on the 8087 only (SDM vol. 1, table 8-3).
    var isUnsupported: Bool { biasedExponent != 0 && significand & Self.integerBit == 0 }
    var isFinite: Bool { biasedExponent != Self.greatestExponent }

    var negated: Extended { Extended(head: head ^ 0x8000, significand: significand) }
    var magnitude: Extended { Extended(head: head & 0x7FFF, significand: significand) }
    var quieted: Extended { Extended(head: head, significand: significand | Self.quietBit) }
    func withSign(_ isNegative: Bool) -> Extended { isNegative ? magnitude.negated : magnitude }

    /// What masked invalid operations give, the "real indefinite".
    static let indefinite = Extended(head: 0xFFFF, significand: 0xC000_0000_0000_0000)
    static let zero = Extended(head: 0, significand: 0)
    static let one = Extended(head: 0x3FFF, significand: integerBit)
    static let infinity = Extended(head: 0x7FFF, significand: integerBit)

    /// The parts of a finite number that isn't zero, with the significand's top bit set.
    var parts: (isNegative: Bool, exponent: Int, significand: UInt64) {
        let shift = significand.leadingZeroBitCount
        return (isNegative, max(Int(biasedExponent), 1) - Self.bias - shift, significand << UInt64(shift))
    }

    /// The class that the full tag word tells (SDM vol. 1, 8.1.7): 0 valid, 1 zero, 2 anything else.
    var tag: UInt16 {
        if isZero { return 1 }
        return biasedExponent == 0 || biasedExponent == Self.greatestExponent || isUnsupported ? 2 : 0
    }
}
