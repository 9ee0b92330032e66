// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// 0F AE: FXSAVE, FXRSTOR, LDMXCSR, STMXCSR, fences, CLFLUSH, and RDFSBASE and its kin.
    mutating func executeGroup15(_ i: Instruction) throws(Trap) {
        if i.isRegister {
            if i.prefixes.contains(.repeatEqual) && i.group < 4 { return try accessBase(i) }
            // LFENCE, MFENCE, SFENCE.
            guard i.group >= 5, !i.isRepeated else { throw .undefined }
            return
        }
        switch i.group {
        case 0, 1:
            guard !i.isRepeated else { throw .undefined }
            if cr0 & (CR0.emulation | CR0.taskSwitched) != 0 { throw .deviceNotAvailable }
            let address = try operandAddress(i, 255, write: i.group == 0)
            guard address & 15 == 0 else { throw .general }
            if i.group == 0 { try saveState(address, wide: i.size == 8) } else { try restoreState(address, i.size == 8) }
        case 2:
            try requireSSE()
            let value = UInt32(truncatingIfNeeded: try readRM(i, 4))
            guard value >> 16 == 0 else { throw .general }
            vectors.mxcsr = value
        case 3:
            try requireSSE()
            try writeRM(i, 4, UInt64(vectors.mxcsr))
        case 7: _ = try readRM(i, 1)
        default: throw .unsupported
        }
    }

    /// RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE.
    private mutating func accessBase(_ i: Instruction) throws(Trap) {
        guard codeSize == 8, cr4 & CR4.fsgsbase != 0 else { throw .undefined }
        let number = i.group & 1 == 0 ? SegmentRegister.fs : SegmentRegister.gs
        if i.group < 2 {
            setRegister(i.rm, i.size, segments[number].base)
        } else {
            let value = register(i.rm, i.size)
            guard isCanonical(value) else { throw .general }
            segments[number].base = value
        }
    }

    /// FXSAVE's 512-byte area (SDM vol. 1, 10.5.1).
    private mutating func saveState(_ address: UInt64, wide: Bool) throws(Trap) {
        // All of the area must be writable before any of it changes.
        try checkWritable(address, 8)
        try checkWritable(advanced(address, 504), 8)
        try store(address, 2, UInt64(vectors.controlWord))
        try store(advanced(address, 2), 2, UInt64(vectors.statusWord))
        try store(advanced(address, 4), 2, UInt64(vectors.tagWord))
        try store(advanced(address, 6), 2, UInt64(vectors.lastOpcode))
        try store(advanced(address, 8), 8, wide ? vectors.lastInstruction : vectors.lastInstruction & 0xFFFF_FFFF)
        try store(advanced(address, 16), 8, wide ? vectors.lastData : vectors.lastData & 0xFFFF_FFFF)
        try store(advanced(address, 24), 4, UInt64(vectors.mxcsr))
        try store(advanced(address, 28), 4, 0xFFFF)
        for number in 0..<8 {
            let slot = advanced(address, 32 + 16 * UInt64(number))
            try store(slot, 8, vectors[stack: number][0])
            try store(advanced(slot, 8), 8, vectors[stack: number][1] & 0xFFFF)
        }
        for number in 0..<(codeSize == 8 ? 16 : 8) {
            let slot = advanced(address, 160 + 16 * UInt64(number))
            try store(slot, 8, vectors.xmm[number][0])
            try store(advanced(slot, 8), 8, vectors.xmm[number][1])
        }
    }

    private mutating func restoreState(_ address: UInt64, _ wide: Bool) throws(Trap) {
        var state = VectorState()
        state.controlWord = UInt16(truncatingIfNeeded: try load(address, 2)) & 0x1F7F | 0x40
        state.statusWord = UInt16(truncatingIfNeeded: try load(advanced(address, 2), 2))
        state.refreshSummary()
        state.tagWord = UInt8(truncatingIfNeeded: try load(advanced(address, 4), 1))
        state.lastOpcode = UInt16(truncatingIfNeeded: try load(advanced(address, 6), 2)) & 0x7FF
        state.lastInstruction = try load(advanced(address, 8), wide ? 8 : 4)
        state.lastData = try load(advanced(address, 16), wide ? 8 : 4)
        state.mxcsr = UInt32(truncatingIfNeeded: try load(advanced(address, 24), 4))
        guard state.mxcsr >> 16 == 0 else { throw .general }
        for number in 0..<8 {
            let slot = advanced(address, 32 + 16 * UInt64(number))
            state[stack: number] = Vector(try load(slot, 8), try load(advanced(slot, 8), 8) & 0xFFFF)
        }
        state.xmm = vectors.xmm
        for number in 0..<(codeSize == 8 ? 16 : 8) {
            let slot = advanced(address, 160 + 16 * UInt64(number))
            state.xmm[number] = Vector(try load(slot, 8), try load(advanced(slot, 8), 8))
        }
        vectors = state
    }
}
