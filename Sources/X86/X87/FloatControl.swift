// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// How one x87 instruction rounds, and the exceptions it met.
struct FloatControl {
    enum Rounding: UInt8 { case nearest, down, up, zero }

    // Bits of the status word and of the masks in the control word.
    static let invalid: UInt16 = 1
    static let denormal: UInt16 = 2
    static let zeroDivide: UInt16 = 4
    static let overflow: UInt16 = 8
    static let underflow: UInt16 = 16
    static let inexact: UInt16 = 32
    /// With `invalid`: a register was empty, or full.
    static let stackFault: UInt16 = 64

    var rounding: Rounding
    /// Bits of the significands of FADD, FSUB, FMUL, FDIV and FSQRT: 24, 53 or 64.
    var precision: Int
    var masks: UInt16
    var raised: UInt16 = 0
    /// An operand from memory was denormal there, though it is a normal number now.
    var hasDenormalOperand = false
    /// Status bit C1: an inexact result's magnitude was rounded up, or the stack overflowed.
    var isRoundedUp = false

    /// - Parameter controlWord: SDM vol. 1, 8.1.5.
    init(controlWord: UInt16) {
        rounding = Rounding(rawValue: UInt8(controlWord >> 10 & 3)) ?? .nearest
        precision =
            switch controlWord >> 8 & 3 {
            case 0: 24
            case 2: 53
            default: 64
            }
        masks = controlWord & 0x3F
    }

    /// Whether an exception that stops the operation before it has a result was raised and isn't masked.
    var stops: Bool { raised & ~masks & (Self.invalid | Self.denormal | Self.zeroDivide) != 0 }

    func isMasked(_ exception: UInt16) -> Bool { masks & exception != 0 }

    mutating func raise(_ exceptions: UInt16) { raised |= exceptions }

    /// The result of an invalid operation.
    mutating func invalidOperation() -> Extended {
        raise(Self.invalid)
        return .indefinite
    }

    mutating func noteDenormals(_ a: Extended, _ b: Extended) {
        if a.isDenormal || b.isDenormal || hasDenormalOperand { raise(Self.denormal) }
    }

    /// Handles one operand that isn't a finite number or an infinity; nil if it is.
    mutating func special(_ a: Extended) -> Extended? {
        if a.isUnsupported { return invalidOperation() }
        guard a.isNaN else { return nil }
        if a.isSignalingNaN { raise(Self.invalid) }
        return a.quieted
    }

    /// The same for two operands (SDM vol. 1, table 4-7: the NaN that results).
    mutating func special(_ a: Extended, _ b: Extended) -> Extended? {
        if a.isUnsupported || b.isUnsupported { return invalidOperation() }
        guard a.isNaN || b.isNaN else { return nil }
        if a.isSignalingNaN || b.isSignalingNaN { raise(Self.invalid) }
        guard a.isNaN else { return b.quieted }
        guard b.isNaN else { return a.quieted }
        if a.isSignalingNaN != b.isSignalingNaN { return a.isSignalingNaN ? b : a }
        if a.significand != b.significand { return a.significand > b.significand ? a.quieted : b.quieted }
        return a.isNegative ? b.quieted : a.quieted
    }
}
