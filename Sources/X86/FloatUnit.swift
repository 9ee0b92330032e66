// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Arithmetic on single numbers with x86's rules for NaNs (SDM vol. 1, 4.8.3.5 and 11.5).
enum FloatUnit {
    static let invalid: UInt32 = 1
    static let zeroDivide: UInt32 = 4
    static let inexact: UInt32 = 32

    /// One lane of ADD, MUL, SUB, MIN, DIV, MAX, SQRT and CMP (by opcode).
    static func apply<Number: IEEENumber>(
        _ opcode: UInt8, _ predicate: Int, _ a: Number, _ b: Number, _ raised: inout UInt32
    ) -> Number.Bits {
        let signals = b.isSignalingNaN || opcode != 0x51 && a.isSignalingNaN
        if signals { raised |= invalid }
        switch opcode {
        case 0x51:
            if b.isNaN { return b.quietBits }
            if b < 0 {
                raised |= invalid
                return Number.defaultNaN
            }
            return b.squareRoot().bitPattern
        // MIN and MAX give the second operand when a NaN or two zeros are involved.
        case 0x5D, 0x5F:
            if a.isNaN || b.isNaN { raised |= invalid }
            return (opcode == 0x5D ? a < b : a > b) ? a.bitPattern : b.bitPattern
        case 0xC2: return compare(predicate, a, b, &raised) ? ~0 : 0
        default: break
        }
        if a.isNaN { return a.quietBits }
        if b.isNaN { return b.quietBits }
        let result: Number
        switch opcode {
        case 0x58: result = a + b
        case 0x59: result = a * b
        case 0x5C: result = a - b
        default:
            if b.isZero && !a.isZero && a.isFinite { raised |= zeroDivide }
            result = a / b
        }
        if result.isNaN {
            raised |= invalid
            return Number.defaultNaN
        }
        return result.bitPattern
    }

    private static func compare<Number: IEEENumber>(
        _ predicate: Int, _ a: Number, _ b: Number, _ raised: inout UInt32
    ) -> Bool {
        let isUnordered = a.isNaN || b.isNaN
        // LT, LE, NLT and NLE signal quiet NaNs too.
        if isUnordered && [1, 2, 5, 6].contains(predicate) { raised |= invalid }
        switch predicate {
        case 0: return a == b
        case 1: return a < b
        case 2: return a <= b
        case 3: return isUnordered
        case 4: return !(a == b)
        case 5: return !(a < b)
        case 6: return !(a <= b)
        default: return !isUnordered
        }
    }

    /// A number as a signed integer of `size` bytes; the "integer indefinite" (the least one) when it doesn't fit.
    static func integer(
        _ value: Double, _ size: UInt8, _ rule: FloatingPointRoundingRule, _ raised: inout UInt32
    ) -> UInt64 {
        let rounded = value.rounded(rule)
        if size == 8 {
            if let result = Int64(exactly: rounded) {
                if rounded != value { raised |= inexact }
                return UInt64(bitPattern: result)
            }
        } else if let result = Int32(exactly: rounded) {
            if rounded != value { raised |= inexact }
            return UInt64(UInt32(bitPattern: result))
        }
        raised |= invalid
        return size == 8 ? 1 << 63 : 1 << 31
    }

    static func widen(_ bits: UInt32, _ raised: inout UInt32) -> UInt64 {
        let value = Float(bitPattern: bits)
        if value.isSignalingNaN { raised |= invalid }
        guard value.isNaN else { return Double(value).bitPattern }
        return UInt64(bits >> 31) << 63 | 0x7FF8 << 48 | UInt64(bits & 0x3F_FFFF) << 29
    }

    static func narrow(_ bits: UInt64, _ raised: inout UInt32) -> UInt32 {
        let value = Double(bitPattern: bits)
        if value.isSignalingNaN { raised |= invalid }
        if value.isNaN {
            return UInt32(bits >> 63) << 31 | 0x7FC0_0000 | UInt32(truncatingIfNeeded: bits >> 29) & 0x3F_FFFF
        }
        return Float(value).bitPattern
    }
}

/// What `FloatUnit` needs to know of Float and Double.
protocol IEEENumber: BinaryFloatingPoint {
    associatedtype Bits: FixedWidthInteger & UnsignedInteger
    var bitPattern: Bits { get }
    /// The NaN with its quiet bit set.
    var quietBits: Bits { get }
    /// What invalid operations give: negative, quiet, no payload.
    static var defaultNaN: Bits { get }
}

extension Float: IEEENumber {
    var quietBits: UInt32 { bitPattern | 1 << 22 }
    static var defaultNaN: UInt32 { 0xFFC0_0000 }
}

extension Double: IEEENumber {
    var quietBits: UInt64 { bitPattern | 1 << 51 }
    static var defaultNaN: UInt64 { 0xFFF8_0000_0000_0000 }
}
