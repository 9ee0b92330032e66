// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestRandom
import X86

/// Fills in start states and instruction forms at random. An instruction is made for the registers it will find, so that most
/// memory operands are in memory that is there.
package struct Generator {
    var random: Random

    package init(seed: UInt64) { random = Random(seed: seed) }

    mutating func start(_ mode: CaseMode) -> CaseState {
        var state = CaseState()
        for number in 0..<mode.registerCount {
            state[number] = random.interesting()
            state[half: 2 * number] = vectorHalf()
            state[half: 2 * number + 1] = vectorHalf()
        }
        // What string, stack and other instructions use unasked.
        for number in [Register.rbx, Register.rsp, Register.rbp, Register.rsi, Register.rdi] where random.chance(90) {
            state[number] = pointer(16)
        }
        if random.chance(70) { state[Register.rcx] = random.next() % 48 }
        if mode != .bits64 { for number in 0..<8 { state[number] &= 0xFFFF_FFFF } }
        // Interrupts are enabled, since they always are for the native engine, and none come.
        state.flags =
            random.next() & Flag.status | Flag.fixed | Flag.interrupt | (random.chance(20) ? Flag.direction : 0)
        // Not at the same place each time, but with room for the longest sequence.
        state.rip = UInt64(CaseMode.code.lowerBound) + random.next() % 0x6000
        return state
    }

    /// Data memory: a piece of a pool that is the same for all seeds.
    mutating func memory() -> [UInt8] {
        let start = Int(random.next() % UInt64(Self.pool.count - CaseMode.data.count)) & ~7
        return Array(Self.pool[start..<(start + CaseMode.data.count)])
    }

    private static let pool: [UInt8] = {
        var random = Random(seed: 0)
        return (0..<0x2_0000).flatMap { index in
            let value = index & 3 == 0 ? random.interesting() : random.next()
            return (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
        }
    }()

    /// An address in data memory with room behind it, now and then a misaligned one, at a page's edge, or outside.
    mutating func pointer(_ alignment: UInt64) -> UInt64 {
        let (low, count) = (UInt64(CaseMode.data.lowerBound), UInt64(CaseMode.data.count))
        switch random.next() % 64 {
        case 0: return random.interesting()
        case 1: return low + 0x1000 &- random.next() % 16
        case 2...8: return low + random.next() % (count - 64)
        default: return (low + random.next() % (count - 64)) & ~(alignment - 1)
        }
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

    /// An instruction of a form, for a state whose RIP it will be at.
    mutating func instruction(_ form: InstructionForm, _ mode: CaseMode, _ state: CaseState) -> GeneratedInstruction {
        var result = GeneratedInstruction(name: form.name, bytes: [], opcode: form.opcode.last ?? 0)
        result.isVector = form.isVector
        result.mandatory = form.prefix
        result.addressSize = mode.rawValue / 8
        if random.chance(mode == .bits64 ? 5 : 15) {
            result.bytes.append(0x67)
            result.addressSize = mode == .bits32 ? 2 : 4
        }
        if mode == .bits64 && random.chance(60) { result.rex = 0x40 | (random.byte() & 15) }
        result.has66 = form.hasSizes && random.chance(25)
        result.size = size(form, mode, result)
        var modRM: [UInt8] = []
        var relative = false
        if form.operand != .none && form.operand != .inOpcode {
            (modRM, relative) = operand(form, mode, state, &result)
        }
        switch form.encoding {
        case .legacy: legacy(form, mode, &result)
        case .vex(let map, let prefix, let usesVector):
            let high = mode == .bits64 ? result.rex : 0
            result.vvvv = usesVector ? Int(random.byte() & (mode == .bits64 ? 15 : 7)) : 0
            result.bytes += [
                0xC4, (~(high << 5) & 0xE0) | map, (high & 8) << 4 | (~UInt8(result.vvvv) & 15) << 3 | prefix,
            ]
            result.bytes += form.opcode
        }
        let displacement = result.bytes.count + 1
        result.bytes += modRM
        result.modRM = modRM.first
        result.reg = Int(result.group | Int(result.rex & 4) << 1)
        result.rm = Int(modRM.first ?? 0) & 7 | Int(result.rex & 1) << 3
        immediate(form, &result)
        if relative, let target = result.target {
            let next = state.rip &+ UInt64(result.bytes.count)
            let distance = little(target &- next, 4)
            for index in 0..<4 { result.bytes[displacement + index] = distance[index] }
            result.address = next &+ UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: target &- next)))
        }
        if form.name == "bt" && form.immediate == .none, let address = result.address {
            result.address = address &+ bitDistance(result, state) & UInt64.max >> UInt64(64 - 8 * result.addressSize)
        }
        result.bytes += form.tail
        return result
    }

    /// Bytes of the operands.
    private func size(_ form: InstructionForm, _ mode: CaseMode, _ i: GeneratedInstruction) -> Int {
        if form.isByte { return 1 }
        if i.rex & 8 != 0 { return 8 }
        if case .vex = form.encoding { return 4 }
        return (mode == .bits16) != i.has66 ? 2 : 4
    }

    private mutating func legacy(_ form: InstructionForm, _ mode: CaseMode, _ result: inout GeneratedInstruction) {
        if form.mayRepeat && random.chance(60) { result.bytes.append(random.chance(50) ? 0xF3 : 0xF2) }
        if result.has66 { result.bytes.append(0x66) }
        // LOCK with BTS and its kin on a register, #UD, makes Unicorn 2.0.1 end the process ("tcg fatal error").
        let mayBeWrong = form.name != "bt" && random.chance(1)
        if form.mayLock && (random.chance(8) && !(result.address == nil) || mayBeWrong) {
            result.bytes.append(0xF0)
            result.isLocked = true
        }
        if form.prefix != 0 { result.bytes.append(form.prefix) }
        if result.rex != 0 { result.bytes.append(result.rex) }
        result.bytes += form.opcode
        if form.operand == .inOpcode {
            let number = random.byte() & 7
            result.bytes[result.bytes.count - 1] += number
            result.opcode += number
        }
    }

    private mutating func immediate(_ form: InstructionForm, _ result: inout GeneratedInstruction) {
        let bytes: [UInt8]
        switch form.immediate {
        case .none: return
        case .byte: bytes = [random.chance(50) ? random.byte() & 63 : random.byte()]
        case .word: bytes = little(random.interesting(), 2)
        case .full: bytes = little(random.interesting(), min(result.size, 4))
        case .wide: bytes = little(random.interesting(), result.size)
        case .address:
            let address = pointer(8)
            bytes = little(address, result.addressSize)
            result.address = address & UInt64.max >> UInt64(64 - 8 * result.addressSize)
        }
        for (index, byte) in bytes.enumerated() { result.immediate |= UInt64(byte) << UInt64(8 * index) }
        result.bytes += bytes
    }

    func little(_ value: UInt64, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }
}
