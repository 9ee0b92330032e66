// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestRandom
import X86

extension Generator {
    /// ModRM, SIB and displacement, and whether the displacement, the last four bytes, is relative to the next instruction
    /// and still to be filled in. REX.X and REX.B become what the operand needs.
    mutating func operand(
        _ form: InstructionForm, _ mode: CaseMode, _ state: CaseState, _ result: inout GeneratedInstruction
    ) -> (bytes: [UInt8], isRelative: Bool) {
        let reg = (form.group ?? random.byte() & 7) << 3
        if form.operand == .registerOnly || form.operand == .any && random.chance(50) {
            result.rex = result.rex & ~2 | (result.rex != 0 && random.chance(20) ? 2 : 0)
            return ([0xC0 | reg | random.byte() & 7], false)
        }
        var target = pointer(form.isVector ? 16 : 8)
        // A bit's number in a register moves the operand: the address is chosen so that it ends up in memory.
        if form.name == "bt" && form.immediate == .none {
            result.reg = Int(reg >> 3 | (result.rex & 4) << 1)
            target &-= bitDistance(result, state)
        }
        if result.addressSize == 2 {
            result.address = target & 0xFFFF
            return (address16(reg, target, state), false)
        }
        return addressWide(reg, target, mode, state, &result)
    }

    /// How many bytes BT's operand is beyond its address.
    func bitDistance(_ i: GeneratedInstruction, _ state: CaseState) -> UInt64 {
        let shift = Int64(64 - 8 * i.size)
        let number = (Int64(bitPattern: state[i.reg]) << shift) >> shift
        return UInt64(bitPattern: (number >> Int64(i.size.trailingZeroBitCount + 3)) &* Int64(i.size))
    }

    private mutating func address16(_ reg: UInt8, _ target: UInt64, _ state: CaseState) -> [UInt8] {
        let rm = random.byte() & 7
        let (rbx, rbp, rsi, rdi) = (state[Register.rbx], state[Register.rbp], state[Register.rsi], state[Register.rdi])
        let bases = [rbx &+ rsi, rbx &+ rdi, rbp &+ rsi, rbp &+ rdi, rsi, rdi, rbp, rbx]
        if rm == 6 && random.chance(50) { return [reg | rm] + little(target, 2) }
        let distance = Int16(truncatingIfNeeded: target &- bases[Int(rm)])
        if distance == 0 && rm != 6 { return [reg | rm] }
        if let short = Int8(exactly: distance) { return [0x40 | reg | rm, UInt8(bitPattern: short)] }
        return [0x80 | reg | rm] + little(UInt64(UInt16(bitPattern: distance)), 2)
    }

    private mutating func addressWide(
        _ reg: UInt8, _ target: UInt64, _ mode: CaseMode, _ state: CaseState, _ result: inout GeneratedInstruction
    ) -> (bytes: [UInt8], isRelative: Bool) {
        let isWide = result.addressSize == 8
        if mode == .bits64, isWide, random.chance(8) {
            result.target = target
            result.address = target
            result.rex &= ~3
            return ([reg | 5, 0, 0, 0, 0], true)
        }
        // Without REX only the first eight registers.
        let mask: UInt8 = result.rex != 0 ? 15 : 7
        for _ in 0..<4 {
            let base = random.byte() & mask
            var index = random.byte() & mask
            let hasIndex = random.chance(40) && index != 4
            if !hasIndex { index = 4 }
            let scale = random.byte() & 3
            let sum = state[Int(base)] &+ (hasIndex ? state[Int(index)] << UInt64(scale) : 0)
            let distance = Int64(bitPattern: target &- sum)
            guard !isWide || Int32(exactly: distance) != nil else { continue }
            result.rex = result.rex & ~3 | base >> 3 | (index >> 3) << 1
            let cut = Int32(truncatingIfNeeded: distance)
            result.address = isWide ? target : target & 0xFFFF_FFFF
            let needsSIB = hasIndex || base & 7 == 4
            let rm: UInt8 = needsSIB ? 4 : base & 7
            let sib: [UInt8] = needsSIB ? [scale << 6 | (index & 7) << 3 | base & 7] : []
            if cut == 0 && base & 7 != 5 { return ([reg | rm] + sib, false) }
            if let short = Int8(exactly: cut), random.chance(80) {
                return ([0x40 | reg | rm] + sib + [UInt8(bitPattern: short)], false)
            }
            return ([0x80 | reg | rm] + sib + little(UInt64(UInt32(bitPattern: cut)), 4), false)
        }
        // No register is near: an absolute address.
        result.rex &= ~3
        let extended = UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: target)))
        result.address = isWide ? extended : extended & 0xFFFF_FFFF
        return ([reg | 4, 0x25] + little(target, 4), false)
    }
}
