// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Decimal adjustments, which don't exist in 64-bit mode (SDM vol. 2, DAA, DAS, AAA, AAS, AAM, AAD).
extension Processor {
    mutating func decimalAdjust(subtracting: Bool) {
        let old = registers[Register.rax] & 0xFF
        let oldCarry = carry
        var value = old
        var carryOut: UInt64 = 0
        let adjusts = old & 0xF > 9 || flags & Flag.adjust != 0
        if adjusts {
            value = subtracting ? value &- 6 : value &+ 6
            // A borrow or carry out of the byte counts beside the old carry.
            carryOut = oldCarry | (value >> 8 & 1)
        }
        if old > 0x99 || oldCarry != 0 {
            value = subtracting ? value &- 0x60 : value &+ 0x60
            carryOut = 1
        } else if !subtracting {
            carryOut = 0
        }
        writeRegister(0, 1, false, value)
        setLogicFlags(value, 1)
        flags |= carryOut | (adjusts ? Flag.adjust : 0)
    }

    mutating func asciiAdjust(subtracting: Bool) {
        let adjusts = registers[Register.rax] & 0xF > 9 || flags & Flag.adjust != 0
        var value = registers[Register.rax] & 0xFFFF
        if adjusts { value = subtracting ? (value &- 6) &- 0x100 : value &+ 0x106 }
        setRegister(0, 2, value & 0xFF0F)
        setLogicFlags(value & 0xF, 1)
        if adjusts { flags |= Flag.carry | Flag.adjust }
    }

    /// AAM; #DE for a base of zero.
    mutating func asciiAdjustProduct(_ base: UInt64) throws(Trap) {
        guard base & 0xFF != 0 else { throw .divide }
        let value = registers[Register.rax] & 0xFF
        setRegister(0, 2, (value / (base & 0xFF)) << 8 | value % (base & 0xFF))
        setLogicFlags(value % (base & 0xFF), 1)
    }

    /// AAD.
    mutating func asciiAdjustDividend(_ base: UInt64) {
        let value = registers[Register.rax]
        let result = (value & 0xFF &+ (value >> 8 & 0xFF) &* (base & 0xFF)) & 0xFF
        setRegister(0, 2, result)
        setLogicFlags(result, 1)
    }
}
