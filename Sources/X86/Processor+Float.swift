// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// SSE and SSE2 floating-point arithmetic, on the host's own numbers. Rounding is to nearest but for conversions to integers,
/// which follow MXCSR; of the sticky flags, invalid, zero divide and (for conversions) inexact are kept.
extension Processor {
    mutating func executeFloat(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let prefix = i.ssePrefix
        switch opcode {
        case 0x2A: try convertFromInteger(i, prefix)
        case 0x2C, 0x2D: try convertToInteger(i, prefix, truncates: opcode == 0x2C)
        case 0x2E, 0x2F: try compareOrdered(i, prefix, quiet: opcode == 0x2E)
        case 0x5A: try convertWidth(i, prefix)
        case 0x5B, 0xE6: try convertPacked(i, opcode, prefix)
        default:
            // Without VEX the predicate has three bits; the immediate's others are ignored (SDM vol. 2, CMPPS).
            let operation = opcode == 0xC2 ? Int(i.immediate & 7) : 0
            let reg = Int(i.reg)
            let a = vectors.xmm[reg]
            var b: Vector
            switch prefix {
            case .none, .p66: b = try readVector(i)
            case .pF3: b = Vector(try readScalar(i, 4), 0)
            case .pF2: b = Vector(try readScalar(i, 8), 0)
            }
            var raised: UInt32 = 0
            var result = a
            switch prefix {
            case .none:
                for lane in 0..<4 {
                    result.doublewords[lane] = FloatUnit.apply(
                        opcode, operation, Float(bitPattern: a.doublewords[lane]),
                        Float(bitPattern: b.doublewords[lane]), &raised)
                }
            case .p66:
                for lane in 0..<2 {
                    result[lane] = FloatUnit.apply(
                        opcode, operation, Double(bitPattern: a[lane]), Double(bitPattern: b[lane]), &raised)
                }
            case .pF3:
                result.doublewords[0] = FloatUnit.apply(
                    opcode, operation, Float(bitPattern: a.doublewords[0]), Float(bitPattern: b.doublewords[0]), &raised)
            case .pF2:
                result[0] = FloatUnit.apply(
                    opcode, operation, Double(bitPattern: a[0]), Double(bitPattern: b[0]), &raised)
            }
            b = result
            try raiseSIMD(raised)
            vectors.xmm[reg] = b
        }
    }

    /// Notes exceptions in MXCSR; #XM for an unmasked one (#UD if the system doesn't handle it).
    mutating func raiseSIMD(_ raised: UInt32) throws(Trap) {
        vectors.mxcsr |= raised
        if raised & ~(vectors.mxcsr >> 7) & 0x3F != 0 {
            throw cr4 & CR4.simdExceptions != 0 ? .simd : .undefined
        }
    }

    private mutating func convertFromInteger(_ i: Instruction, _ prefix: SSEPrefix) throws(Trap) {
        guard prefix == .pF3 || prefix == .pF2 else { throw .unsupported }
        let size: UInt8 = i.size == 8 ? 8 : 4
        let value = Int64(bitPattern: signExtend(try readRM(i, size), size))
        let reg = Int(i.reg)
        if prefix == .pF3 {
            vectors.xmm[reg].doublewords[0] = Float(value).bitPattern
            try raiseSIMD(Int64(exactly: Float(value)) == value ? 0 : FloatUnit.inexact)
        } else {
            vectors.xmm[reg][0] = Double(value).bitPattern
            try raiseSIMD(Int64(exactly: Double(value)) == value ? 0 : FloatUnit.inexact)
        }
    }

    private mutating func convertToInteger(
        _ i: Instruction, _ prefix: SSEPrefix, truncates: Bool
    ) throws(Trap) {
        let value: Double
        switch prefix {
        case .pF3: value = Double(Float(bitPattern: UInt32(truncatingIfNeeded: try readScalar(i, 4))))
        case .pF2: value = Double(bitPattern: try readScalar(i, 8))
        default: throw .unsupported
        }
        let size: UInt8 = i.size == 8 ? 8 : 4
        var raised: UInt32 = 0
        let result = FloatUnit.integer(value, size, truncates ? .towardZero : roundingRule, &raised)
        try raiseSIMD(raised)
        setRegister(i.reg, size, result)
    }

    private var roundingRule: FloatingPointRoundingRule {
        switch vectors.mxcsr >> 13 & 3 {
        case 0: .toNearestOrEven
        case 1: .down
        case 2: .up
        default: .towardZero
        }
    }

    /// UCOMISS, COMISS and their double forms.
    private mutating func compareOrdered(_ i: Instruction, _ prefix: SSEPrefix, quiet: Bool) throws(Trap) {
        guard prefix == .none || prefix == .p66 else { throw .undefined }
        let a: Double
        let b: Double
        var signals = false
        if prefix == .none {
            let x = Float(bitPattern: vectors.xmm[Int(i.reg)].doublewords[0])
            let y = Float(bitPattern: UInt32(truncatingIfNeeded: try readScalar(i, 4)))
            signals = x.isSignalingNaN || y.isSignalingNaN
            (a, b) = (Double(x), Double(y))
        } else {
            a = Double(bitPattern: vectors.xmm[Int(i.reg)][0])
            b = Double(bitPattern: try readScalar(i, 8))
            signals = a.isSignalingNaN || b.isSignalingNaN
        }
        let isUnordered = a.isNaN || b.isNaN
        try raiseSIMD(signals || isUnordered && !quiet ? FloatUnit.invalid : 0)
        var result: UInt64 = 0
        if isUnordered {
            result = Flag.zero | Flag.parity | Flag.carry
        } else if a == b {
            result = Flag.zero
        } else if a < b {
            result = Flag.carry
        }
        flags = flags & ~Flag.status | result
    }

    /// CVTSS2SD, CVTSD2SS, CVTPS2PD, CVTPD2PS.
    private mutating func convertWidth(_ i: Instruction, _ prefix: SSEPrefix) throws(Trap) {
        var raised: UInt32 = 0
        var result = vectors.xmm[Int(i.reg)]
        switch prefix {
        case .none:
            let source = Vector(try readScalar(i, 8), 0)
            for lane in 0..<2 { result[lane] = FloatUnit.widen(source.doublewords[lane], &raised) }
        case .p66:
            let source = try readVector(i)
            result = .zero
            for lane in 0..<2 { result.doublewords[lane] = FloatUnit.narrow(source[lane], &raised) }
        case .pF3: result[0] = FloatUnit.widen(UInt32(truncatingIfNeeded: try readScalar(i, 4)), &raised)
        case .pF2: result.doublewords[0] = FloatUnit.narrow(try readScalar(i, 8), &raised)
        }
        try raiseSIMD(raised)
        vectors.xmm[Int(i.reg)] = result
    }

    /// CVTDQ2PS, CVTPS2DQ, CVTTPS2DQ, CVTDQ2PD, CVTPD2DQ, CVTTPD2DQ.
    private mutating func convertPacked(
        _ i: Instruction, _ opcode: UInt8, _ prefix: SSEPrefix
    ) throws(Trap) {
        var raised: UInt32 = 0
        var result = Vector.zero
        switch (opcode, prefix) {
        case (0x5B, .none):
            let source = try readVector(i)
            for lane in 0..<4 {
                let value = Int32(bitPattern: source.doublewords[lane])
                if Int32(exactly: Float(value)) != value { raised |= FloatUnit.inexact }
                result.doublewords[lane] = Float(value).bitPattern
            }
        case (0x5B, .p66), (0x5B, .pF3):
            let source = try readVector(i)
            let rule = prefix == .pF3 ? .towardZero : roundingRule
            for lane in 0..<4 {
                let value = Double(Float(bitPattern: source.doublewords[lane]))
                result.doublewords[lane] = UInt32(truncatingIfNeeded: FloatUnit.integer(value, 4, rule, &raised))
            }
        case (0xE6, .pF3):
            let source = Vector(try readScalar(i, 8), 0)
            for lane in 0..<2 { result[lane] = Double(Int32(bitPattern: source.doublewords[lane])).bitPattern }
        case (0xE6, .p66), (0xE6, .pF2):
            let source = try readVector(i)
            let rule = prefix == .p66 ? .towardZero : roundingRule
            for lane in 0..<2 {
                let value = Double(bitPattern: source[lane])
                result.doublewords[lane] = UInt32(truncatingIfNeeded: FloatUnit.integer(value, 4, rule, &raised))
            }
        default: throw .undefined
        }
        try raiseSIMD(raised)
        vectors.xmm[Int(i.reg)] = result
    }
}
