// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// SSE2's packed integers. Without the 66 prefix these are MMX, which the interpreter hasn't got.
extension Processor {
    mutating func executePacked(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        switch (opcode, i.ssePrefix) {
        case (0x70, .p66), (0x70, .pF2), (0x70, .pF3): try shufflePacked(i)
        case (0x71...0x73, .p66): try shiftImmediate(i, opcode)
        case (0xC4, .p66):
            let value = i.isRegister ? registers[i.rm] : try readRM(i, 2)
            let lane = Int(i.immediate & 7)
            vectors.xmm[Int(i.reg)].words[lane] = UInt16(truncatingIfNeeded: value)
        case (0xC5, .p66):
            guard i.isRegister else { throw .undefined }
            setRegister(i.reg, 4, UInt64(vectors.xmm[Int(i.rm)].words[Int(i.immediate & 7)]))
        case (0xD7, .p66):
            guard i.isRegister else { throw .undefined }
            let source = vectors.xmm[Int(i.rm)].bytes
            var mask: UInt64 = 0
            for lane in 0..<16 { mask |= UInt64(source[lane] >> 7) << UInt64(lane) }
            setRegister(i.reg, 4, mask)
        case (_, .p66):
            let b = try readVector(i)
            guard let result = Self.packed(opcode, vectors.xmm[Int(i.reg)], b) else { throw .unsupported }
            vectors.xmm[Int(i.reg)] = result
        default: throw .unsupported
        }
    }

    /// PSHUFD, PSHUFLW, PSHUFHW.
    private mutating func shufflePacked(_ i: Instruction) throws(Trap) {
        let source = try readVector(i)
        let order = Int(truncatingIfNeeded: i.immediate)
        var result = source
        switch i.ssePrefix {
        case .p66:
            for lane in 0..<4 { result.doublewords[lane] = source.doublewords[order >> (2 * lane) & 3] }
        default:
            let first = i.ssePrefix == .pF2 ? 0 : 4
            for lane in 0..<4 { result.words[first + lane] = source.words[first + order >> (2 * lane) & 3] }
        }
        vectors.xmm[Int(i.reg)] = result
    }

    private mutating func shiftImmediate(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        guard i.isRegister else { throw .undefined }
        let value = vectors.xmm[Int(i.rm)]
        let count = i.immediate & 0xFF
        let result: Vector
        switch (opcode, i.group) {
        case (0x73, 3): result = Self.shiftBytes(value, right: Int(count))
        case (0x73, 7): result = Self.shiftBytes(value, left: Int(count))
        case (0x71, 2), (0x71, 4), (0x71, 6), (0x72, 2), (0x72, 4), (0x72, 6), (0x73, 2), (0x73, 6):
            let base: UInt8 = i.group == 2 ? 0xD0 : i.group == 4 ? 0xE0 : 0xF0
            result = Self.shifted(base + (opcode & 3), value, count)
        default: throw .undefined
        }
        vectors.xmm[Int(i.rm)] = result
    }

    private static func shiftBytes(_ value: Vector, right count: Int) -> Vector {
        var result = SIMD16<UInt8>()
        for lane in 0..<16 where lane + count < 16 { result[lane] = value.bytes[lane + count] }
        return Vector(bytes: result)
    }

    private static func shiftBytes(_ value: Vector, left count: Int) -> Vector {
        var result = SIMD16<UInt8>()
        for lane in 0..<16 where lane >= count { result[lane] = value.bytes[lane - count] }
        return Vector(bytes: result)
    }

    /// Shifts by one count for all lanes: D1-D3 right, E1-E2 arithmetic right, F1-F3 left; 1 words, 2 doublewords, 3 quadwords.
    private static func shifted(_ opcode: UInt8, _ value: Vector, _ count: UInt64) -> Vector {
        let n = Int(min(count, 64))
        switch opcode {
        case 0xD1: return .wordwise(value, value) { a, _ in a >> n }
        case 0xD2: return .doublewise(value, value) { a, _ in a >> n }
        case 0xD3: return .quadwise(value, value) { a, _ in a >> n }
        case 0xE1: return .wordwise(value, value) { a, _ in UInt16(bitPattern: Int16(bitPattern: a) >> n) }
        case 0xE2: return .doublewise(value, value) { a, _ in UInt32(bitPattern: Int32(bitPattern: a) >> n) }
        case 0xF1: return .wordwise(value, value) { a, _ in a << n }
        case 0xF2: return .doublewise(value, value) { a, _ in a << n }
        default: return .quadwise(value, value) { a, _ in a << n }
        }
    }

    /// Takes lanes from both operands alternately.
    private static func interleave(_ a: Vector, _ b: Vector, _ laneBytes: Int, high: Bool) -> Vector {
        var result = SIMD16<UInt8>()
        let start = high ? 8 : 0
        for lane in 0..<(8 / laneBytes) {
            for byte in 0..<laneBytes {
                result[(2 * lane) * laneBytes + byte] = a.bytes[start + lane * laneBytes + byte]
                result[(2 * lane + 1) * laneBytes + byte] = b.bytes[start + lane * laneBytes + byte]
            }
        }
        return Vector(bytes: result)
    }

    /// Two-operand instructions by their opcode; nil for one that SSE2 hasn't got.
    private static func packed(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector? {
        func signed(_ value: UInt8) -> Int32 { Int32(Int8(bitPattern: value)) }
        func signed(_ value: UInt16) -> Int32 { Int32(Int16(bitPattern: value)) }
        func signed(_ value: UInt32) -> Int32 { Int32(bitPattern: value) }
        switch opcode {
        case 0x60...0x62: return interleave(a, b, 1 << Int(opcode & 3), high: false)
        case 0x68...0x6A: return interleave(a, b, 1 << Int(opcode & 3), high: true)
        case 0x6C: return Vector(a[0], b[0])
        case 0x6D: return Vector(a[1], b[1])
        case 0x63, 0x67:
            var result = SIMD16<UInt8>()
            for lane in 0..<8 {
                let (x, y) = (signed(a.words[lane]), signed(b.words[lane]))
                result[lane] = opcode == 0x67 ? UInt8(clamping: x) : UInt8(bitPattern: Int8(clamping: x))
                result[lane + 8] = opcode == 0x67 ? UInt8(clamping: y) : UInt8(bitPattern: Int8(clamping: y))
            }
            return Vector(bytes: result)
        case 0x6B:
            var result = SIMD8<UInt16>()
            for lane in 0..<4 {
                result[lane] = UInt16(bitPattern: Int16(clamping: signed(a.doublewords[lane])))
                result[lane + 4] = UInt16(bitPattern: Int16(clamping: signed(b.doublewords[lane])))
            }
            return Vector(words: result)
        case 0x64: return .bytewise(a, b) { signed($0) > signed($1) ? 0xFF : 0 }
        case 0x65: return .wordwise(a, b) { signed($0) > signed($1) ? 0xFFFF : 0 }
        case 0x66: return .doublewise(a, b) { signed($0) > signed($1) ? .max : 0 }
        case 0x74: return .bytewise(a, b) { $0 == $1 ? 0xFF : 0 }
        case 0x75: return .wordwise(a, b) { $0 == $1 ? 0xFFFF : 0 }
        case 0x76: return .doublewise(a, b) { $0 == $1 ? .max : 0 }
        case 0xD1...0xD3, 0xE1, 0xE2, 0xF1...0xF3: return shifted(opcode, a, b[0])
        case 0xD4: return a &+ b
        case 0xD5: return .wordwise(a, b) { $0 &* $1 }
        case 0xD8: return .bytewise(a, b) { $0 > $1 ? $0 - $1 : 0 }
        case 0xD9: return .wordwise(a, b) { $0 > $1 ? $0 - $1 : 0 }
        case 0xDA: return .bytewise(a, b) { min($0, $1) }
        case 0xDB: return a & b
        case 0xDC: return .bytewise(a, b) { UInt8(clamping: Int32($0) + Int32($1)) }
        case 0xDD: return .wordwise(a, b) { UInt16(clamping: Int32($0) + Int32($1)) }
        case 0xDE: return .bytewise(a, b) { max($0, $1) }
        case 0xDF: return ~a & b
        case 0xE0: return .bytewise(a, b) { UInt8((UInt32($0) + UInt32($1) + 1) >> 1) }
        case 0xE3: return .wordwise(a, b) { UInt16((UInt32($0) + UInt32($1) + 1) >> 1) }
        case 0xE4: return .wordwise(a, b) { UInt16(truncatingIfNeeded: (UInt32($0) * UInt32($1)) >> 16) }
        case 0xE5: return .wordwise(a, b) { UInt16(truncatingIfNeeded: (signed($0) * signed($1)) >> 16) }
        case 0xE8: return .bytewise(a, b) { UInt8(bitPattern: Int8(clamping: signed($0) - signed($1))) }
        case 0xE9: return .wordwise(a, b) { UInt16(bitPattern: Int16(clamping: signed($0) - signed($1))) }
        case 0xEA: return .wordwise(a, b) { signed($0) < signed($1) ? $0 : $1 }
        case 0xEB: return a | b
        case 0xEC: return .bytewise(a, b) { UInt8(bitPattern: Int8(clamping: signed($0) + signed($1))) }
        case 0xED: return .wordwise(a, b) { UInt16(bitPattern: Int16(clamping: signed($0) + signed($1))) }
        case 0xEE: return .wordwise(a, b) { signed($0) > signed($1) ? $0 : $1 }
        case 0xEF: return a ^ b
        case 0xF4: return .quadwise(a, b) { ($0 & 0xFFFF_FFFF) * ($1 & 0xFFFF_FFFF) }
        case 0xF5:
            var result = SIMD4<UInt32>()
            for lane in 0..<4 {
                let low = signed(a.words[2 * lane]) * signed(b.words[2 * lane])
                let high = signed(a.words[2 * lane + 1]) * signed(b.words[2 * lane + 1])
                result[lane] = UInt32(bitPattern: low &+ high)
            }
            return Vector(doublewords: result)
        case 0xF6:
            var sums = Vector.zero
            for lane in 0..<16 {
                sums[lane / 8] += UInt64(abs(Int32(a.bytes[lane]) - Int32(b.bytes[lane])))
            }
            return sums
        case 0xF8: return .bytewise(a, b) { $0 &- $1 }
        case 0xF9: return .wordwise(a, b) { $0 &- $1 }
        case 0xFA: return .doublewise(a, b) { $0 &- $1 }
        case 0xFB: return a &- b
        case 0xFC: return .bytewise(a, b) { $0 &+ $1 }
        case 0xFD: return .wordwise(a, b) { $0 &+ $1 }
        case 0xFE: return .doublewise(a, b) { $0 &+ $1 }
        default: return nil
        }
    }
}
