// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Two decoders written apart, the interpreter's and the kernel's for device memory, must say the same of a load or store.
import CLikexCore
import CLikexHW
import Glibc
@testable import X86

extension Code {
    private static let rip: UInt64 = 0x1234_5678

    func compareWithCore(_ result: Result<Instruction, Decoder.Failure>) {
        var registers = InlineArray<18, UInt64>(repeating: 0)
        for number in 0..<16 { registers[number] = 0x9E37_79B9_7F4A_7C15 &* UInt64(number + 3) }
        var general = InlineArray<16, UInt64>(repeating: 0)
        for number in 0..<16 { general[number] = registers[number] }
        var decoded = lkx_decoded()
        var context = unsafe lkx_decode_context()
        unsafe context.mode_bytes = codeSize
        unsafe context.rip = Self.rip
        let answer = unsafe withUnsafeBytes(of: bytes) { bytes in
            unsafe withUnsafeBytes(of: general) { general in
                unsafe context.gpr = general.assumingMemoryBound(to: UInt64.self).baseAddress
                return unsafe lkx_decode_mov(
                    bytes.assumingMemoryBound(to: UInt8.self).baseAddress, UInt32(count), &context, &decoded)
            }
        }
        if answer == -E2BIG {
            guard case .failure(.incomplete) = result else { preconditionFailure("only the kernel wants more bytes") }
            return
        }
        guard case .success(let instruction) = result else {
            precondition(answer != 0, "only the kernel decodes it")
            return
        }
        let access = accessBytes(instruction)
        precondition((answer == 0) == (access != nil), "\(answer) from the kernel for \(instruction.opcode)")
        guard let access else { return }
        precondition(decoded.length == instruction.length && decoded.access_bytes == access)
        precondition(decoded.segment == instruction.segment)
        registers[16] = Self.rip &+ UInt64(instruction.length)
        precondition(decoded.effective == effective(instruction, registers))
        compareValue(instruction, decoded, registers)
    }

    /// The bytes that a load or store of the kernel's kind accesses; nil for other instructions.
    private func accessBytes(_ i: Instruction) -> UInt8? {
        if i.prefixes.contains(.lock) || i.isRepeated { return nil }
        if (0xA0...0xA3).contains(i.opcode) { return i.opcode & 1 == 0 ? 1 : i.size }
        if i.isRegister { return nil }
        switch i.opcode {
        case 0x88, 0x8A: return 1
        case 0x89, 0x8B: return i.size
        case 0xC6, 0xC7: return i.group != 0 ? nil : i.opcode == 0xC6 ? 1 : i.size
        case 0x63: return codeSize != 8 ? nil : i.size == 2 ? 2 : 4
        case 0x1B6, 0x1BE: return 1
        case 0x1B7, 0x1BF: return 2
        default: return nil
        }
    }

    private func effective(_ i: Instruction, _ registers: InlineArray<18, UInt64>) -> UInt64 {
        if (0xA0...0xA3).contains(i.opcode) { return i.immediate & i.addressMask }
        let base = registers[Int(i.base)], index = registers[Int(i.index)]
        let displacement = UInt64(bitPattern: Int64(i.displacement))
        return (base &+ index << UInt64(i.scale) &+ displacement) & i.addressMask
    }

    private func compareValue(_ i: Instruction, _ d: lkx_decoded, _ registers: InlineArray<18, UInt64>) {
        let isStore = [0x88, 0x89, 0xA2, 0xA3, 0xC6, 0xC7].contains(i.opcode)
        precondition(d.write == isStore)
        precondition(d.sign_extend == [0x63, 0x1BE, 0x1BF].contains(i.opcode))
        precondition(d.immediate == [0xC6, 0xC7].contains(i.opcode))
        if d.immediate {
            precondition(d.value == i.immediate & sizeMask(d.access_bytes))
            return
        }
        let isByte = [0x88, 0x8A, 0xA0, 0xA2].contains(i.opcode)
        let number = (0xA0...0xA3).contains(i.opcode) ? 0 : i.reg
        let isHigh = isByte && !i.hasREX && number >= 4
        precondition(d.high_byte == isHigh && d.reg == (isHigh ? number & 3 : number))
        precondition(d.operand_bytes == (isByte ? 1 : i.size))
        if isStore {
            precondition(d.value == (registers[Int(d.reg)] >> (isHigh ? 8 : 0)) & sizeMask(d.access_bytes))
        }
    }
}
