// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The mandatory prefix of an SSE instruction.
enum SSEPrefix { case none, p66, pF3, pF2 }

extension Instruction {
    var ssePrefix: SSEPrefix {
        if prefixes.contains(.repeatEqual) { return .pF3 }
        if prefixes.contains(.repeatNotEqual) { return .pF2 }
        return prefixes.contains(.operandSize) ? .p66 : .none
    }
}

extension Processor {
    /// #UD or #NM where SSE isn't usable (SDM vol. 3, 13.1).
    mutating func requireSSE() throws(Trap) {
        if cr0 & CR0.emulation != 0 || cr4 & CR4.fxsave == 0 { throw .undefined }
        if cr0 & CR0.taskSwitched != 0 { throw .deviceNotAvailable }
    }

    /// Reads 16 bytes of memory.
    mutating func loadVector(_ i: Instruction, aligned: Bool) throws(Trap) -> Vector {
        let address = try operandAddress(i, 16, write: false)
        if aligned && address & 15 != 0 { throw .general }
        return Vector(try load(address, 8), try load(advanced(address, 8), 8))
    }

    mutating func storeVector(_ i: Instruction, _ value: Vector, aligned: Bool) throws(Trap) {
        let address = try operandAddress(i, 16, write: true)
        if aligned && address & 15 != 0 { throw .general }
        // Nothing is written unless all can be.
        if !aligned { try checkWritable(advanced(address, 8), 8) }
        try store(address, 8, value[0])
        try store(advanced(address, 8), 8, value[1])
    }

    /// The 16-byte register-or-memory operand; in memory it must be aligned.
    mutating func readVector(_ i: Instruction, aligned: Bool = true) throws(Trap) -> Vector {
        i.isRegister ? vectors.xmm[Int(i.rm)] : try loadVector(i, aligned: aligned)
    }

    /// The low `size` bytes of a register, or as many of memory.
    mutating func readScalar(_ i: Instruction, _ size: UInt8) throws(Trap) -> UInt64 {
        if i.isRegister { return vectors.xmm[Int(i.rm)][0] & sizeMask(size) }
        return try load(try operandAddress(i, size, write: false), size)
    }

    mutating func executeSSE(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        try requireSSE()
        switch opcode {
        case 0x10...0x13, 0x16, 0x17, 0x28, 0x29, 0x2B, 0x6E, 0x6F, 0x7E, 0x7F, 0xD6, 0xE7: try moveVector(i, opcode)
        case 0x2A, 0x2C...0x2F, 0x51, 0x58...0x5F, 0xC2, 0xE6: try executeFloat(i, opcode)
        case 0x52, 0x53: throw .unsupported
        case 0x14, 0x15, 0x50, 0x54...0x57, 0xC6:
            guard i.ssePrefix == .none || i.ssePrefix == .p66 else { throw .undefined }
            try shuffleFloat(i, opcode)
        default: try executePacked(i, opcode)
        }
    }

    private mutating func moveVector(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let reg = Int(i.reg)
        switch (opcode, i.ssePrefix) {
        case (0x10, .none), (0x10, .p66), (0x6F, .pF3): vectors.xmm[reg] = try readVector(i, aligned: false)
        case (0x28, .none), (0x28, .p66), (0x6F, .p66): vectors.xmm[reg] = try readVector(i)
        case (0x11, .none), (0x11, .p66), (0x7F, .pF3): try writeVector(i, aligned: false)
        case (0x29, .none), (0x29, .p66), (0x7F, .p66): try writeVector(i, aligned: true)
        case (0x2B, .none), (0x2B, .p66), (0xE7, .p66):
            guard !i.isRegister else { throw .undefined }
            try writeVector(i, aligned: true)
        case (0x10, .pF3), (0x10, .pF2):
            let size: UInt8 = i.ssePrefix == .pF3 ? 4 : 8
            let value = try readScalar(i, size)
            // From memory the rest becomes zero, from a register it stays.
            let kept = i.isRegister ? vectors.xmm[reg] : .zero
            vectors.xmm[reg] = Vector(kept[0] & ~sizeMask(size) | value, kept[1])
        case (0x11, .pF3), (0x11, .pF2):
            let size: UInt8 = i.ssePrefix == .pF3 ? 4 : 8
            let value = vectors.xmm[reg][0]
            if i.isRegister {
                let rm = Int(i.rm)
                vectors.xmm[rm][0] = vectors.xmm[rm][0] & ~sizeMask(size) | value & sizeMask(size)
            } else {
                try store(try operandAddress(i, size, write: true), size, value)
            }
        case (0x12, .none), (0x12, .p66), (0x16, .none), (0x16, .p66):
            let lane = opcode == 0x12 ? 0 : 1
            if i.isRegister {
                guard i.ssePrefix == .none else { throw .undefined }
                vectors.xmm[reg][lane] = vectors.xmm[Int(i.rm)][1 - lane]
            } else {
                vectors.xmm[reg][lane] = try readRM(i, 8)
            }
        case (0x13, .none), (0x13, .p66), (0x17, .none), (0x17, .p66):
            guard !i.isRegister else { throw .undefined }
            try writeRM(i, 8, vectors.xmm[reg][opcode == 0x13 ? 0 : 1])
        case (0x6E, .p66): vectors.xmm[reg] = Vector(try readRM(i, i.size == 8 ? 8 : 4), 0)
        case (0x7E, .p66): try writeRM(i, i.size == 8 ? 8 : 4, vectors.xmm[reg][0])
        case (0x7E, .pF3): vectors.xmm[reg] = Vector(try readScalar(i, 8), 0)
        case (0xD6, .p66):
            if i.isRegister {
                vectors.xmm[Int(i.rm)] = Vector(vectors.xmm[reg][0], 0)
            } else {
                try writeRM(i, 8, vectors.xmm[reg][0])
            }
        default: throw .unsupported
        }
    }

    private mutating func writeVector(_ i: Instruction, aligned: Bool) throws(Trap) {
        let value = vectors.xmm[Int(i.reg)]
        if i.isRegister { vectors.xmm[Int(i.rm)] = value } else { try storeVector(i, value, aligned: aligned) }
    }

    /// UNPCKLPS and UNPCKHPS, MOVMSK, the logical operations and SHUFPS, each with its double form.
    private mutating func shuffleFloat(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let isDouble = i.ssePrefix == .p66
        if opcode == 0x50 {
            guard i.isRegister else { throw .undefined }
            let source = vectors.xmm[Int(i.rm)]
            var mask: UInt64 = 0
            for lane in 0..<(isDouble ? 2 : 4) {
                let sign = isDouble ? source[lane] >> 63 : UInt64(source.doublewords[lane] >> 31)
                mask |= sign << UInt64(lane)
            }
            setRegister(i.reg, 4, mask)
            return
        }
        let b = try readVector(i)
        let a = vectors.xmm[Int(i.reg)]
        let immediate = Int(truncatingIfNeeded: i.immediate)
        let result: Vector
        switch opcode {
        case 0x14 where isDouble: result = Vector(a[0], b[0])
        case 0x15 where isDouble: result = Vector(a[1], b[1])
        case 0x14, 0x15:
            let (x, y, first) = (a.doublewords, b.doublewords, opcode == 0x14 ? 0 : 2)
            result = Vector(doublewords: [x[first], y[first], x[first + 1], y[first + 1]])
        case 0x54: result = a & b
        case 0x55: result = ~a & b
        case 0x56: result = a | b
        case 0x57: result = a ^ b
        case 0xC6 where isDouble: result = Vector(a[immediate & 1], b[immediate >> 1 & 1])
        default:
            let (x, y) = (a.doublewords, b.doublewords)
            result = Vector(doublewords: [
                x[immediate & 3], x[immediate >> 2 & 3], y[immediate >> 4 & 3], y[immediate >> 6 & 3],
            ])
        }
        vectors.xmm[Int(i.reg)] = result
    }
}
