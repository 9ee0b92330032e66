// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Turns bytes into an `Instruction`; has no side effects and can't be told apart from a pure function.
struct Decoder {
    enum Failure: Error {
        /// The bytes end before the instruction does.
        case incomplete
        /// More than 15 bytes: #GP(0).
        case tooLong
        /// #UD.
        case undefined
    }

    static let longest = 15

    private let bytes: InlineArray<16, UInt8>
    private let count: Int
    let codeSize: UInt8
    var position = 0
    var rex: UInt8 = 0
    var result = Instruction()

    /// - Parameters:
    ///   - bytes: the instruction's first bytes.
    ///   - count: how many of them there are, at most 15.
    ///   - codeSize: 2, 4 or 8 for 16-, 32- and 64-bit code.
    init(_ bytes: InlineArray<16, UInt8>, count: Int, codeSize: UInt8) {
        self.bytes = bytes
        self.count = min(count, Decoder.longest)
        self.codeSize = codeSize
    }

    mutating func byte() throws(Failure) -> UInt8 {
        guard position < count else { throw position >= Decoder.longest ? .tooLong : .incomplete }
        defer { position += 1 }
        return bytes[position]
    }

    /// The next byte, which stays unread.
    func peek() throws(Failure) -> UInt8 {
        guard position < count else { throw position >= Decoder.longest ? .tooLong : .incomplete }
        return bytes[position]
    }

    /// The next `size` bytes, zero-extended.
    private mutating func little(_ size: UInt8) throws(Failure) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<UInt64(size) { value |= UInt64(try byte()) << (8 * index) }
        return value
    }

    mutating func decode() throws(Failure) -> Instruction {
        var opcode = try prefixes()
        if codeSize == 8 {
            result.size = rex & 8 != 0 ? 8 : result.prefixes.contains(.operandSize) ? 2 : 4
        } else {
            result.size = (codeSize == 4) != result.prefixes.contains(.operandSize) ? 4 : 2
        }
        if rex & 8 != 0 { result.prefixes.insert(.wide) }

        var layout: OpcodeLayout
        if opcode == 0x0F {
            opcode = try byte()
            switch opcode {
            case 0x38:
                opcode = try byte()
                result.opcode = OpcodeMap.three38 | UInt16(opcode)
                layout = OpcodeLayout(hasModRM: true, immediate: .none)
            case 0x3A:
                opcode = try byte()
                result.opcode = OpcodeMap.three3A | UInt16(opcode)
                layout = OpcodeLayout(hasModRM: true, immediate: .byte)
            default:
                result.opcode = OpcodeMap.two | UInt16(opcode)
                layout = OpcodeLayout.two(opcode)
            }
        } else if opcode == 0xC4 || opcode == 0xC5, try isVEX() {
            layout = try vex(opcode)
        } else {
            result.opcode = UInt16(opcode)
            layout = OpcodeLayout.one(opcode)
        }
        adjustSize()
        if layout.hasModRM {
            let modRM = try modRM()
            if result.opcode == 0xF6, modRM & 0x30 == 0 { layout.immediate = .byte }
            if result.opcode == 0xF7, modRM & 0x30 == 0 { layout.immediate = .full }
            // The x87 keeps the ModRM byte in its last opcode.
            if result.opcode & 0xFFF8 == 0xD8 { result.immediate = UInt64(modRM) }
        } else {
            result.rm = UInt8(truncatingIfNeeded: result.opcode) & 7 | (rex & 1) << 3
        }
        try immediate(layout.immediate)
        try checkLock()
        result.length = UInt8(position)
        return result
    }

    /// Reads legacy prefixes and REX; gives the opcode's first byte.
    private mutating func prefixes() throws(Failure) -> UInt8 {
        var segment: UInt8?
        result.addressSize = codeSize
        while true {
            let next = try byte()
            switch next {
            case 0x66: result.prefixes.insert(.operandSize)
            case 0x67: result.addressSize = codeSize == 4 ? 2 : 4
            case 0xF0: result.prefixes.insert(.lock)
            case 0xF2:
                result.prefixes.insert(.repeatNotEqual)
                result.prefixes.remove(.repeatEqual)
            case 0xF3:
                result.prefixes.insert(.repeatEqual)
                result.prefixes.remove(.repeatNotEqual)
            // In 64-bit mode the first four are ignored, and don't undo an earlier FS or GS.
            case 0x26, 0x2E, 0x36, 0x3E: if codeSize != 8 { segment = (next >> 3) & 3 }
            case 0x64, 0x65: segment = next & 7
            case 0x40...0x4F where codeSize == 8:
                rex = next
                continue
            default:
                if rex != 0 { result.prefixes.insert(.rex) }
                if let segment {
                    result.segment = segment
                    result.prefixes.insert(.segmentOverride)
                }
                return next
            }
            // A REX that isn't the last prefix is ignored.
            rex = 0
        }
    }

    /// Operand sizes that the opcode itself decides in 64-bit mode.
    private mutating func adjustSize() {
        guard codeSize == 8 else { return }
        switch result.opcode {
        // Near branches: always 64.
        case 0x70...0x7F, 0xC2, 0xC3, 0xE0...0xE3, 0xE8, 0xE9, 0xEB, 0x180...0x18F: result.size = 8
        // The stack: 64, or 16 with 66.
        case 0x50...0x5F, 0x68, 0x6A, 0x8F, 0x9C, 0x9D, 0xC8, 0xC9, 0x1A0, 0x1A1, 0x1A8, 0x1A9:
            if result.size == 4 { result.size = 8 }
        // Control and debug registers.
        case 0x120...0x123: result.size = 8
        default: break
        }
    }

    private mutating func modRM() throws(Failure) -> UInt8 {
        let modRM = try byte()
        let mode = modRM >> 6
        let rm = modRM & 7
        result.reg = (modRM >> 3) & 7 | (rex & 4) << 1
        if codeSize == 8, result.opcode == 0xFF {
            switch result.reg & 7 {
            case 2, 4: result.size = 8
            case 6: if result.size == 4 { result.size = 8 }
            default: break
            }
        }
        // MOV to and from control and debug registers ignores the mode.
        if mode == 3 || (0x120...0x123).contains(result.opcode) {
            result.rm = rm | (rex & 1) << 3
            result.prefixes.insert(.register)
        } else if result.addressSize == 2 {
            try memory16(mode, rm)
        } else {
            try memory(mode, rm)
        }
        return modRM
    }

    private mutating func memory16(_ mode: UInt8, _ rm: UInt8) throws(Failure) {
        let bases: InlineArray<8, UInt8> = [3, 3, 5, 5, 6, 7, 5, 3]
        let indices: InlineArray<8, UInt8> = [
            6, 7, 6, 7, Registers.zero, Registers.zero, Registers.zero, Registers.zero,
        ]
        result.base = bases[Int(rm)]
        result.index = indices[Int(rm)]
        let absolute = mode == 0 && rm == 6
        if absolute { result.base = Registers.zero }
        try displacement(absolute ? 2 : mode == 1 ? 1 : mode == 2 ? 2 : 0)
        useStackSegment(ifBase: 5)
    }

    private mutating func memory(_ mode: UInt8, _ rm: UInt8) throws(Failure) {
        var low = rm
        if rm == 4 {
            let sib = try byte()
            result.scale = sib >> 6
            let index = (sib >> 3) & 7 | (rex & 2) << 2
            result.index = index == 4 ? Registers.zero : index
            low = sib & 7
        }
        if mode == 0 && low == 5 {
            // Absolute, or relative to the next instruction (only without a SIB byte).
            result.base = codeSize == 8 && rm == 5 ? Registers.instructionPointer : Registers.zero
            try displacement(4)
            return
        }
        result.base = low | (rex & 1) << 3
        try displacement(mode == 1 ? 1 : mode == 2 ? 4 : 0)
        useStackSegment(ifBase: 4)
        useStackSegment(ifBase: 5)
    }

    private mutating func useStackSegment(ifBase base: UInt8) {
        if result.base == base && !result.prefixes.contains(.segmentOverride) { result.segment = 2 }
    }

    private mutating func displacement(_ size: UInt8) throws(Failure) {
        guard size > 0 else { return }
        result.displacement = Int32(truncatingIfNeeded: signExtend(try little(size), size))
    }

    private mutating func immediate(_ kind: OpcodeLayout.Immediate) throws(Failure) {
        let size = result.size
        switch kind {
        case .none: break
        case .byte: result.immediate = signExtend(try little(1), 1)
        case .word: result.immediate = try little(2)
        case .full:
            // Near branches of 64-bit mode have 4 bytes.
            let width = min(size, 4)
            result.immediate = signExtend(try little(width), width)
        case .wide: result.immediate = try little(size)
        case .far:
            let offset = try little(size)
            result.immediate = offset | (try little(2)) << 32
        case .address: result.immediate = try little(result.addressSize)
        case .enter:
            let bytes = try little(2)
            result.immediate = bytes | (try little(1)) << 32
        }
    }
}
