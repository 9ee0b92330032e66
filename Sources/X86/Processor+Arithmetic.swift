// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    @inline(__always) var carry: UInt64 { flags & Flag.carry }

    /// PF of a result: whether its low byte has an even number of ones.
    @inline(__always)
    static func parity(_ result: UInt64) -> UInt64 {
        let folded = (result ^ (result >> 4)) & 0xF
        // Bit n of the constant is 1 when n has an even number of ones.
        return (0x9669 &>> folded & 1) << 2
    }

    /// SF, ZF and PF of a result.
    @inline(__always)
    static func resultFlags(_ result: UInt64, _ size: UInt8) -> UInt64 {
        let masked = result & sizeMask(size)
        let sign = masked &>> (8 &* UInt64(size) &- 1)
        return sign << 7 | (masked == 0 ? Flag.zero : 0) | parity(masked)
    }

    /// Sets the six status flags from a result and the carries out of each bit.
    @inline(__always)
    mutating func setArithmeticFlags(_ result: UInt64, _ carries: UInt64, _ size: UInt8) {
        let top = 8 &* UInt64(size) &- 1
        let carryOut = carries &>> top & 1
        let overflow = carryOut ^ (carries &>> (top &- 1) & 1)
        flags = flags & ~Flag.status | Self.resultFlags(result, size) | carryOut | overflow << 11 | (carries & 8) << 1
    }

    @inline(__always)
    mutating func setLogicFlags(_ result: UInt64, _ size: UInt8) {
        flags = flags & ~Flag.status | Self.resultFlags(result, size)
    }

    @inline(__always)
    mutating func add(_ a: UInt64, _ b: UInt64, _ carryIn: UInt64, _ size: UInt8) -> UInt64 {
        let result = a &+ b &+ carryIn
        setArithmeticFlags(result, a & b | (a | b) & ~result, size)
        return result
    }

    @inline(__always)
    mutating func subtract(_ a: UInt64, _ b: UInt64, _ borrowIn: UInt64, _ size: UInt8) -> UInt64 {
        let result = a &- b &- borrowIn
        setArithmeticFlags(result, ~a & b | (~a | b) & result, size)
        return result
    }

    /// The eight operations that share one encoding: ADD, OR, ADC, SBB, AND, SUB, XOR, CMP. CMP gives its first operand.
    @inline(__always)
    mutating func arithmetic(_ operation: UInt8, _ a: UInt64, _ b: UInt64, _ size: UInt8) -> UInt64 {
        switch operation & 7 {
        case 0: return add(a, b, 0, size)
        case 2: return add(a, b, carry, size)
        case 3: return subtract(a, b, carry, size)
        case 5: return subtract(a, b, 0, size)
        case 7:
            _ = subtract(a, b, 0, size)
            return a
        default: break
        }
        let result = operation & 7 == 1 ? a | b : operation & 7 == 4 ? a & b : a ^ b
        setLogicFlags(result, size)
        return result
    }

    @inline(__always)
    mutating func increment(_ a: UInt64, _ size: UInt8) -> UInt64 {
        let kept = carry
        let result = add(a, 1, 0, size)
        flags = flags & ~Flag.carry | kept
        return result
    }

    @inline(__always)
    mutating func decrement(_ a: UInt64, _ size: UInt8) -> UInt64 {
        let kept = carry
        let result = subtract(a, 1, 0, size)
        flags = flags & ~Flag.carry | kept
        return result
    }

    @inline(__always)
    mutating func setFlag(_ flag: UInt64, _ value: Bool) { flags = value ? flags | flag : flags & ~flag }

    /// A condition code, 0 (O) to 15 (G).
    @inline(__always)
    func condition(_ code: UInt8) -> Bool {
        let isSet: Bool
        switch code >> 1 & 7 {
        case 0: isSet = flags & Flag.overflow != 0
        case 1: isSet = flags & Flag.carry != 0
        case 2: isSet = flags & Flag.zero != 0
        case 3: isSet = flags & (Flag.carry | Flag.zero) != 0
        case 4: isSet = flags & Flag.sign != 0
        case 5: isSet = flags & Flag.parity != 0
        case 6: isSet = (flags >> 7 ^ flags >> 11) & 1 != 0
        default: isSet = flags & Flag.zero != 0 || (flags >> 7 ^ flags >> 11) & 1 != 0
        }
        return isSet != (code & 1 != 0)
    }
}
