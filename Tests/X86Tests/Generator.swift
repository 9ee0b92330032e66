// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// Fills in instruction forms and start states at random, so that most memory operands hit RAM.
struct Generator {
    var random: Random

    init(seed: UInt64) { random = Random(seed: seed) }

    mutating func start(_ mode: Mode, for instructions: [GeneratedInstruction]) -> CaseState {
        var state = CaseState()
        for number in 0..<16 { state.registers[number] = random.interesting() }
        for number in 0..<32 { state.xmm[number] = vectorHalf() }
        let isSmall = mode == .bits16
        // Bases and indices: BX and BP small in 16-bit code, where they come together with SI and DI.
        state.registers[Register.rbx] = isSmall ? random.next() % 0x100 : 0x1000 + random.next() % 0x1000
        state.registers[Register.rbp] = isSmall ? random.next() % 0x100 : 0x1000 + random.next() % 0x1000
        state.registers[Register.rsi] = 0x1000 + random.next() % 0x800
        state.registers[Register.rdi] = 0x1800 + random.next() % 0x800
        state.registers[Register.rsp] = 0x2800 + random.next() % 0x100
        if random.chance(70) { state.registers[Register.rcx] = random.next() % 48 }
        if random.chance(60) { state.registers[Register.rbx] &= ~15 }
        if random.chance(60) { state.registers[Register.rsi] &= ~15 }
        // A long REP would run over the code.
        if instructions.contains(where: \.repeats) { state.registers[Register.rcx] %= 48 }
        if mode != .bits64 {
            for number in 0..<16 { state.registers[number] &= number < 8 ? 0xFFFF_FFFF : 0 }
            for number in 16..<32 { state.xmm[number] = 0 }
        }
        state.flags = random.next() & Flag.status | Flag.fixed | (random.chance(20) ? Flag.direction : 0)
        var index = 0
        while index < state.memory.count {
            let value = random.chance(30) ? random.interesting() : random.next()
            for byte in 0..<8 as Range<UInt64> { state.memory[index + Int(byte)] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
            index += 8
        }
        return state
    }

    /// Half of an XMM register: often numbers that arithmetic likes.
    private mutating func vectorHalf() -> UInt64 {
        switch random.next() % 4 {
        case 0: return (Double(Int64(bitPattern: random.next()) >> 40) / 8).bitPattern
        case 1:
            let low = (Float(Int32(truncatingIfNeeded: random.next()) >> 12) / 4).bitPattern
            let high = (Float(Int32(truncatingIfNeeded: random.next()) >> 20) * 3).bitPattern
            return UInt64(low) | UInt64(high) << 32
        case 2: return random.interesting()
        default: return random.next()
        }
    }

    mutating func instruction(_ form: InstructionForm, _ mode: Mode) -> GeneratedInstruction {
        var bytes: [UInt8] = []
        let use67 = random.chance(mode == .bits64 ? 5 : 15)
        let use66 = form.hasSizes && random.chance(25)
        var rex: UInt8 = 0
        if mode == .bits64 && random.chance(60) { rex = 0x40 | (random.byte() & 15) }
        var addressSize = mode.rawValue
        if use67 {
            bytes.append(0x67)
            addressSize = mode == .bits32 ? 16 : 32
        }
        if form.mayRepeat && random.chance(60) { bytes.append(random.chance(50) ? 0xF3 : 0xF2) }
        if use66 { bytes.append(0x66) }
        let (modRM, isRegister) = operand(form, addressSize, &rex)
        // LOCK with BTS and its kin on a register, #UD, makes Unicorn 2.0.1 end the process ("tcg fatal error").
        let mayBeWrong = form.name != "bt" && random.chance(1)
        if form.mayLock && (random.chance(8) && !isRegister || mayBeWrong) { bytes.append(0xF0) }
        var size = mode == .bits16 ? 2 : 4
        if use66 { size = 6 - size }
        switch form.encoding {
        case .legacy:
            if form.prefix != 0 { bytes.append(form.prefix) }
            if rex != 0 { bytes.append(rex) }
            if rex & 8 != 0 { size = 8 }
            bytes += form.opcode
            if form.operand == .inOpcode { bytes[bytes.count - 1] += random.byte() & 7 }
        case .vex(let map, let prefix, let usesVector, _):
            bytes = use67 ? [0x67] : []
            let high = mode == .bits64 ? rex : 0
            let vector = usesVector ? random.byte() & (mode == .bits64 ? 15 : 7) : 0
            bytes += [0xC4, (~(high << 5) & 0xE0) | map, (high & 8) << 4 | (~vector & 15) << 3 | prefix]
            bytes += form.opcode
        }
        bytes += modRM
        switch form.immediate {
        case .none: break
        case .byte: bytes.append(random.chance(50) ? random.byte() & 63 : random.byte())
        case .word: bytes += immediate(2)
        case .full: bytes += immediate(min(size, 4))
        case .wide: bytes += immediate(size)
        case .address: bytes += little(0x1000 + random.next() % 0x1000, addressSize / 8)
        }
        bytes += form.tail
        return GeneratedInstruction(
            name: form.name, bytes: bytes, isVector: form.isVector,
            repeats: form.mayRepeat && (bytes.contains(0xF2) || bytes.contains(0xF3)))
    }

    private mutating func immediate(_ size: Int) -> [UInt8] { little(random.interesting(), size) }
    private func little(_ value: UInt64, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    /// ModRM, SIB and displacement; REX loses bits that would leave RAM.
    private mutating func operand(
        _ form: InstructionForm, _ addressSize: Int, _ rex: inout UInt8
    ) -> (bytes: [UInt8], isRegister: Bool) {
        if form.operand == .none || form.operand == .inOpcode { return ([], true) }
        let reg = (form.group ?? random.byte() & 7) << 3
        let wantsRegister = form.operand == .registerOnly || form.operand == .any && random.chance(50)
        if wantsRegister { return ([0xC0 | reg | random.byte() & 7], true) }
        if rex != 0 { rex &= ~3 }
        let displacement = random.byte() & (form.isVector && random.chance(80) ? 0x70 : 0x7F)
        if addressSize == 16 {
            let rm = random.byte() & 7
            switch random.next() % 3 {
            case 0 where rm != 6: return ([reg | rm], false)
            case 1: return ([0x40 | reg | rm, displacement], false)
            default: return ([0x80 | reg | rm] + little(UInt64(displacement), 2), false)
            }
        }
        // RBX, RBP, RSI and RDI point into RAM.
        let base = random.pick([3, 5, 6, 7] as [UInt8])
        switch random.next() % 6 {
        case 0: return ([0x40 | reg | base, displacement], false)
        case 1: return ([0x80 | reg | base] + little(UInt64(displacement), 4), false)
        case 2 where base != 5: return ([reg | base], false)
        case 3:
            // Base plus RCX scaled, which is small more often than not.
            return ([0x44 | reg, random.byte() & 0xC0 | 1 << 3 | base, displacement], false)
        case 4: return ([0x04 | reg, 0x25] + little(0x1000 + random.next() % 0x1000 & (form.isVector ? ~15 : ~0), 4), false)
        default: return ([0x44 | reg, 0x24, displacement], false)
        }
    }
}
