// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A decoded instruction, packed into three words so that it travels in registers.
struct Instruction: BitwiseCopyable {
    private var head: UInt64 = 0
    private var operands: UInt64 = 0
    /// Sign-extended, or the 64 bits of a MOV or an absolute address; of far pointers the selector is in bits 32-47, and so
    /// is ENTER's second.
    var immediate: UInt64 = 0

    init() {
        size = 4
        addressSize = 4
        segment = 3
        base = Registers.zero
        index = Registers.zero
    }

    @inline(__always)
    private static func set(_ word: inout UInt64, _ value: UInt64, _ shift: UInt64, _ width: UInt64) {
        let mask = (UInt64(1) &<< width &- 1) &<< shift
        word = word & ~mask | (value &<< shift) & mask
    }

    /// The opcode map times 256 plus the opcode byte; see `OpcodeMap`.
    var opcode: UInt16 {
        @inline(__always) get { UInt16(truncatingIfNeeded: head) }
        set { Self.set(&head, UInt64(newValue), 0, 16) }
    }
    var prefixes: Prefixes {
        @inline(__always) get { Prefixes(rawValue: UInt16(truncatingIfNeeded: head >> 16)) }
        set { Self.set(&head, UInt64(newValue.rawValue), 16, 16) }
    }
    /// 2, 4 or 8.
    var size: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: head >> 32) }
        set { Self.set(&head, UInt64(newValue), 32, 8) }
    }
    /// 2, 4 or 8.
    var addressSize: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: head >> 40) }
        set { Self.set(&head, UInt64(newValue), 40, 8) }
    }
    var length: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: head >> 48) & 15 }
        set { Self.set(&head, UInt64(newValue), 48, 4) }
    }
    /// VEX.vvvv.
    var vector: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: head >> 52) & 15 }
        set { Self.set(&head, UInt64(newValue), 52, 4) }
    }
    var segment: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: head >> 56) & 7 }
        set { Self.set(&head, UInt64(newValue), 56, 4) }
    }
    var scale: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: head >> 60) }
        set { Self.set(&head, UInt64(newValue), 60, 4) }
    }
    /// ModRM.reg with REX.R.
    var reg: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: operands) }
        set { Self.set(&operands, UInt64(newValue), 0, 8) }
    }
    /// ModRM.rm with REX.B when that is a register, or the register of opcodes that have it in their low bits.
    var rm: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: operands >> 8) }
        set { Self.set(&operands, UInt64(newValue), 8, 8) }
    }
    /// Memory operand, as numbers in the register file.
    var base: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: operands >> 16) }
        set { Self.set(&operands, UInt64(newValue), 16, 8) }
    }
    var index: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: operands >> 24) }
        set { Self.set(&operands, UInt64(newValue), 24, 8) }
    }
    var displacement: Int32 {
        @inline(__always) get { Int32(truncatingIfNeeded: Int64(bitPattern: operands) >> 32) }
        set { Self.set(&operands, UInt64(UInt32(bitPattern: newValue)), 32, 32) }
    }

    struct Prefixes: OptionSet, BitwiseCopyable {
        let rawValue: UInt16
        static let lock = Prefixes(rawValue: 1)
        static let repeatEqual = Prefixes(rawValue: 2)
        static let repeatNotEqual = Prefixes(rawValue: 4)
        /// Any REX: byte registers 4 to 7 are SPL to DIL rather than AH to BH.
        static let rex = Prefixes(rawValue: 8)
        static let operandSize = Prefixes(rawValue: 16)
        /// The ModRM operand is a register.
        static let register = Prefixes(rawValue: 32)
        static let wide = Prefixes(rawValue: 64)
        static let vex256 = Prefixes(rawValue: 128)
        static let segmentOverride = Prefixes(rawValue: 256)
    }

    @inline(__always) var isRegister: Bool { prefixes.rawValue & Prefixes.register.rawValue != 0 }
    @inline(__always) var hasREX: Bool { prefixes.rawValue & Prefixes.rex.rawValue != 0 }
    @inline(__always) var isRepeated: Bool { prefixes.rawValue & 6 != 0 }
    /// ModRM.reg as an opcode extension.
    @inline(__always) var group: UInt8 { reg & 7 }
    @inline(__always) var addressMask: UInt64 { sizeMask(addressSize) }
}

/// The opcode maps, in `Instruction.opcode`'s high byte.
enum OpcodeMap {
    static let one: UInt16 = 0
    static let two: UInt16 = 0x100
    static let three38: UInt16 = 0x200
    static let three3A: UInt16 = 0x300
    static let vex0F: UInt16 = 0x400
    static let vex38: UInt16 = 0x500
    static let vex3A: UInt16 = 0x600
}

/// All ones in the low `size` bytes.
@inline(__always)
func sizeMask(_ size: UInt8) -> UInt64 { UInt64.max &>> (64 &- 8 &* UInt64(size)) }

@inline(__always)
func signExtend(_ value: UInt64, _ size: UInt8) -> UInt64 {
    let shift = 64 &- 8 &* Int64(size)
    return UInt64(bitPattern: (Int64(bitPattern: value) &<< shift) &>> shift)
}
