// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// x87 instructions on the control, status and tag words and the environment, which don't count as "last instruction".
extension Processor {
    /// Executes the instruction if it is one of these; only FLDCW, FLDENV and FRSTOR wait for exceptions of earlier ones.
    mutating func executeX87Control(_ i: Instruction, _ opcode: UInt8) throws(Trap) -> Bool {
        switch (opcode, i.isRegister, i.group) {
        case (0xDB, true, 4):
            switch i.rm & 7 {
            // FENI, FDISI and FSETPM of older coprocessors do nothing.
            case 0, 1, 4: break
            case 2: vectors.statusWord &= 0x7F00
            case 3: vectors.initialize()
            default: throw .undefined
            }
        case (0xD9, false, 4):
            try requireNoX87Exception()
            try loadEnvironment(try operandAddress(i, environmentSize(i), write: false), i.size)
        case (0xD9, false, 5):
            try requireNoX87Exception()
            vectors.controlWord = UInt16(truncatingIfNeeded: try readRM(i, 2)) & 0x1F7F | 0x40
            vectors.refreshSummary()
        case (0xD9, false, 6):
            try storeEnvironment(try operandAddress(i, environmentSize(i), write: true), i.size)
            vectors.controlWord |= 0x3F
            vectors.refreshSummary()
        case (0xD9, false, 7): try writeRM(i, 2, UInt64(vectors.controlWord))
        case (0xDD, false, 4):
            try requireNoX87Exception()
            try restoreX87(i)
        case (0xDD, false, 6):
            try saveX87(i)
            vectors.initialize()
        case (0xDD, false, 7): try writeRM(i, 2, UInt64(vectors.statusWord))
        case (0xDF, true, 4):
            guard i.rm & 7 == 0 else { return false }
            setRegister(0, 2, UInt64(vectors.statusWord))
        default: return false
        }
        return true
    }

    private func environmentSize(_ i: Instruction) -> UInt8 { i.size == 2 ? 14 : 28 }

    /// The environment's words and pointers: 7 fields of 2 or 4 bytes (SDM vol. 1, figures 8-9 to 8-12).
    private mutating func storeEnvironment(_ address: UInt64, _ size: UInt8) throws(Trap) {
        let isWide = size != 2
        let field: UInt64 = isWide ? 4 : 2
        // All must be writable before any of it changes.
        try checkWritable(address, 2)
        try checkWritable(advanced(address, 7 * field - 2), 2)
        let upper: UInt64 = isWide ? 0xFFFF_0000 : 0
        let (ip, data) = (vectors.lastInstruction, vectors.lastData)
        let opcode = UInt64(vectors.lastOpcode & 0x7FF)
        var fields = InlineArray<7, UInt64>(repeating: upper)
        fields[0] |= UInt64(vectors.controlWord)
        fields[1] |= UInt64(vectors.statusWord)
        fields[2] |= UInt64(fullTagWord)
        if hasRealSegments {
            fields[3] |= ip & 0xFFFF
            fields[4] = (isWide ? ip >> 16 & 0xFFFF : ip >> 16 & 0xF) << 12 | opcode
            fields[5] |= data & 0xFFFF
            fields[6] = (isWide ? data >> 16 & 0xFFFF : data >> 16 & 0xF) << 12
        } else {
            fields[3] = ip
            fields[4] = isWide ? opcode << 16 : 0
            fields[5] = data
        }
        for number in 0..<UInt64(7) {
            try store(advanced(address, number * field), UInt8(field), fields[Int(number)])
        }
    }

    private mutating func loadEnvironment(_ address: UInt64, _ size: UInt8) throws(Trap) {
        let isWide = size != 2
        var fields = InlineArray<7, UInt64>(repeating: 0)
        for number in 0..<UInt64(7) {
            fields[Int(number)] = try load(advanced(address, number * (isWide ? 4 : 2)), isWide ? 4 : 2)
        }
        vectors.controlWord = UInt16(truncatingIfNeeded: fields[0]) & 0x1F7F | 0x40
        vectors.statusWord = UInt16(truncatingIfNeeded: fields[1])
        let tags = UInt16(truncatingIfNeeded: fields[2])
        vectors.tagWord = 0
        for number in 0..<8 where tags >> UInt16(2 * number) & 3 != 3 { vectors.tagWord |= 1 << UInt8(number) }
        if hasRealSegments {
            vectors.lastInstruction = fields[3] & 0xFFFF | (fields[4] >> 12 & (isWide ? 0xFFFF : 0xF)) << 16
            vectors.lastOpcode = UInt16(truncatingIfNeeded: fields[4]) & 0x7FF
            vectors.lastData = fields[5] & 0xFFFF | (fields[6] >> 12 & (isWide ? 0xFFFF : 0xF)) << 16
        } else {
            vectors.lastInstruction = fields[3]
            vectors.lastOpcode = isWide ? UInt16(truncatingIfNeeded: fields[4] >> 16) & 0x7FF : 0
            vectors.lastData = fields[5]
        }
        vectors.refreshSummary()
    }

    /// Two bits for each register: valid, zero, special, empty.
    private var fullTagWord: UInt16 {
        var result: UInt16 = 0
        for number in 0..<8 {
            let isEmpty = vectors.tagWord >> UInt8(number) & 1 == 0
            result |= (isEmpty ? 3 : Extended(vectors.x87[number]).tag) << UInt16(2 * number)
        }
        return result
    }

    /// FNSAVE: the environment, then ST(0) to ST(7), ten bytes each.
    private mutating func saveX87(_ i: Instruction) throws(Trap) {
        let size = environmentSize(i)
        let address = try operandAddress(i, size + 80, write: true)
        let registers = advanced(address, UInt64(size))
        try checkWritable(address, 2)
        try checkWritable(advanced(registers, 78), 2)
        try storeEnvironment(address, i.size)
        for number in 0..<8 {
            let slot = advanced(registers, 10 * UInt64(number))
            let image = vectors[stack: number]
            try store(slot, 8, image[0])
            try store(advanced(slot, 8), 2, image[1])
        }
    }

    /// FRSTOR.
    private mutating func restoreX87(_ i: Instruction) throws(Trap) {
        let size = environmentSize(i)
        let address = try operandAddress(i, size + 80, write: false)
        let registers = advanced(address, UInt64(size))
        var images = InlineArray<8, Vector>(repeating: .zero)
        for number in 0..<8 {
            let slot = advanced(registers, 10 * UInt64(number))
            images[number] = Vector(try load(slot, 8), try load(advanced(slot, 8), 2))
        }
        try loadEnvironment(address, i.size)
        for number in 0..<8 { vectors[stack: number] = images[number] }
    }
}
