// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// What the SDM (vol. 2, each instruction's "Flags Affected", and vol. 1, appendix A) leaves undefined after an instruction, given
/// the registers and the memory it starts from.
struct Undefined {
    var flags: UInt64 = 0
    /// A general register.
    var register: Int?
    /// Whether the destination, wherever it is, has no defined value.
    var destination = false

    /// Instructions that may leave flags undefined, from some state or other.
    static let names: Set<String> = [
        "and", "or", "xor", "test", "mul", "imul", "div", "idiv", "bt", "tzcnt", "lzcnt", "bsf", "bsr", "aaa", "aas",
        "aam", "aad",
        "daa", "das", "andn", "blsr", "blsmsk", "blsi", "bzhi", "bextr", "rol", "ror", "rcl", "rcr", "shl", "shr",
        "sar", "shld",
        "shrd",
    ]
    /// CMP AL, AL: all six flags are defined after it.
    static let definer = GeneratedInstruction(name: "defines flags", bytes: [0x38, 0xC0])

    /// - Parameter source: the ModRM operand's value, or nil where that isn't readable.
    static func after(_ i: GeneratedInstruction, _ state: CaseState, source: UInt64?) -> Undefined {
        let aspo = Flag.adjust | Flag.sign | Flag.parity | Flag.overflow
        switch i.name {
        case "and", "or", "xor", "test": return Undefined(flags: Flag.adjust)
        case "mul", "imul": return Undefined(flags: Flag.sign | Flag.zero | Flag.adjust | Flag.parity)
        case "div", "idiv": return Undefined(flags: Flag.status)
        case "bt", "tzcnt", "lzcnt": return Undefined(flags: aspo)
        case "bsf", "bsr":
            // "If the content of the source operand is 0, the content of the destination operand is undefined."
            return Undefined(flags: aspo | Flag.carry, register: source.map { $0 == 0 } ?? true ? i.reg : nil)
        // "When the BSWAP instruction references a 16-bit register, the result is undefined."
        case "bswap": return Undefined(destination: i.size == 2)
        case "aaa", "aas": return Undefined(flags: Flag.overflow | Flag.sign | Flag.zero | Flag.parity)
        case "aam", "aad": return Undefined(flags: Flag.overflow | Flag.adjust | Flag.carry)
        case "daa", "das": return Undefined(flags: Flag.overflow)
        case "andn", "blsr", "blsmsk", "blsi", "bzhi": return Undefined(flags: Flag.adjust | Flag.parity)
        case "bextr": return Undefined(flags: Flag.adjust | Flag.sign | Flag.parity)
        case "rol", "ror", "rcl", "rcr":
            return Undefined(flags: count(i, state) == 1 || count(i, state) == 0 ? 0 : Flag.overflow)
        case "shl", "shr", "sar": return shift(i, count(i, state))
        case "shld", "shrd": return doubleShift(i, count(i, state))
        default: return Undefined()
        }
    }

    /// How far shifts and rotations go: the immediate, 1 or CL, cut to 5 or 6 bits.
    static func count(_ i: GeneratedInstruction, _ state: CaseState) -> UInt64 {
        let raw: UInt64
        switch i.opcode {
        case 0xC0, 0xC1, 0xA4, 0xAC: raw = i.immediate
        case 0xD0, 0xD1: raw = 1
        default: raw = state[Register.rcx]
        }
        return raw & (i.size == 8 ? 63 : 31)
    }

    /// AF is undefined after any shift, OF unless by 1, CF after SHL and SHR beyond the operand; by 0 changes no flag.
    private static func shift(_ i: GeneratedInstruction, _ count: UInt64) -> Undefined {
        if count == 0 { return Undefined() }
        var flags = Flag.adjust
        if count > 1 { flags |= Flag.overflow }
        if i.name != "sar" && count >= UInt64(i.size) * 8 { flags |= Flag.carry }
        return Undefined(flags: flags)
    }

    /// Counts over the operand's size leave everything undefined (16-bit operands only, the count being cut to 31).
    private static func doubleShift(_ i: GeneratedInstruction, _ count: UInt64) -> Undefined {
        if count == 0 { return Undefined() }
        if count > UInt64(i.size) * 8 { return Undefined(flags: Flag.status, destination: true) }
        return Undefined(flags: Flag.adjust | (count > 1 ? Flag.overflow : 0))
    }
}
