// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// Flags that the SDM (vol. 2, and vol. 1 appendix A) leaves undefined after an instruction, by the generator's names.
enum UndefinedFlags {
    private static let all = Flag.status
    private static let cpaso = Flag.carry | Flag.parity | Flag.adjust | Flag.sign | Flag.overflow

    /// Those that are undefined whatever the operands.
    static let table: [String: UInt64] = [
        "and": Flag.adjust, "or": Flag.adjust, "xor": Flag.adjust, "test": Flag.adjust,
        "mul": Flag.sign | Flag.zero | Flag.adjust | Flag.parity,
        "imul": Flag.sign | Flag.zero | Flag.adjust | Flag.parity,
        "div": all, "idiv": all,
        "bt": Flag.overflow | Flag.sign | Flag.adjust | Flag.parity,
        "bsf": cpaso, "bsr": cpaso,
        "tzcnt": Flag.overflow | Flag.sign | Flag.adjust | Flag.parity,
        "lzcnt": Flag.overflow | Flag.sign | Flag.adjust | Flag.parity,
        "aaa": Flag.overflow | Flag.sign | Flag.zero | Flag.parity,
        "aas": Flag.overflow | Flag.sign | Flag.zero | Flag.parity,
        "aam": Flag.overflow | Flag.adjust | Flag.carry, "aad": Flag.overflow | Flag.adjust | Flag.carry,
        "daa": Flag.overflow, "das": Flag.overflow,
        "andn": Flag.adjust | Flag.parity,
        "blsr": Flag.adjust | Flag.parity, "blsmsk": Flag.adjust | Flag.parity, "blsi": Flag.adjust | Flag.parity,
        "bzhi": Flag.adjust | Flag.parity,
        "bextr": Flag.adjust | Flag.sign | Flag.parity,
        // OF is undefined for counts other than 1, AF for all but 0, CF of SHL and SHR for counts beyond the operand.
        "rol": Flag.overflow, "ror": Flag.overflow, "rcl": Flag.overflow, "rcr": Flag.overflow,
        "shl": Flag.overflow | Flag.adjust | Flag.carry, "shr": Flag.overflow | Flag.adjust | Flag.carry,
        "sar": Flag.overflow | Flag.adjust,
        "rol1": 0, "ror1": 0, "rcl1": 0, "rcr1": 0,
        "shl1": Flag.adjust, "shr1": Flag.adjust, "sar1": Flag.adjust,
        "shld": Flag.overflow | Flag.adjust, "shrd": Flag.overflow | Flag.adjust,
    ]
}
