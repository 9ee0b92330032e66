// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// All instructions that are compared with Unicorn.
package enum InstructionForms {
    static let integer: [InstructionForm] =
        arithmetic + shifts + unary + moves + bits + strings + stack + legacy + branches
    static let all = integer + bmi + sse
    /// The forms of each mode, those of one name together.
    static let byMode = Dictionary(
        uniqueKeysWithValues: CaseMode.allCases.map { mode in (mode, all.filter { $0.modes.contains(mode) }) })
    private static let old: [CaseMode] = [.bits16, .bits32]

    private static func form(
        _ name: String, _ opcode: [UInt8], _ operand: InstructionForm.Operand = .any, group: UInt8? = nil,
        _ immediate: InstructionForm.Immediate = .none, prefix: UInt8 = 0, modes: [CaseMode] = CaseMode.allCases,
        sizes: Bool = true, lock: Bool = false, repeats: Bool = false, tail: [UInt8] = []
    ) -> InstructionForm {
        InstructionForm(
            name: name, prefix: prefix, opcode: opcode, operand: operand, group: group, immediate: immediate,
            modes: modes,
            hasSizes: sizes, mayLock: lock, mayRepeat: repeats, tail: tail)
    }

    private static var arithmetic: [InstructionForm] {
        var forms: [InstructionForm] = []
        for (number, name) in ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"].enumerated() {
            let base = UInt8(number * 8)
            let lock = number != 7
            forms += [
                form(name, [base], lock: lock), form(name, [base + 1], lock: lock), form(name, [base + 2]),
                form(name, [base + 3]), form(name, [base + 4], .none, .byte), form(name, [base + 5], .none, .full),
                form(name, [0x80], group: UInt8(number), .byte, lock: lock),
                form(name, [0x81], group: UInt8(number), .full, lock: lock),
                form(name, [0x83], group: UInt8(number), .byte, lock: lock),
                form(name, [0x82], group: UInt8(number), .byte, modes: old),
            ]
        }
        return forms + [
            form("test", [0x84]), form("test", [0x85]), form("test", [0xA8], .none, .byte),
            form("test", [0xA9], .none, .full), form("imul", [0x69], .any, .full), form("imul", [0x6B], .any, .byte),
            form("imul", [0x0F, 0xAF]), form("xadd", [0x0F, 0xC0], lock: true), form("xadd", [0x0F, 0xC1], lock: true),
            form("cmpxchg", [0x0F, 0xB0], lock: true), form("cmpxchg", [0x0F, 0xB1], lock: true),
            form("cmpxchg8b", [0x0F, 0xC7], .memoryOnly, group: 1, lock: true),
            form("adcx", [0x0F, 0x38, 0xF6], prefix: 0x66, sizes: false),
            form("adox", [0x0F, 0x38, 0xF6], prefix: 0xF3, sizes: false),
        ]
    }

    private static var shifts: [InstructionForm] {
        var forms: [InstructionForm] = []
        for (number, name) in ["rol", "ror", "rcl", "rcr", "shl", "shr", "shl", "sar"].enumerated() {
            let group = UInt8(number)
            forms += [
                form(name, [0xC0], group: group, .byte), form(name, [0xC1], group: group, .byte),
                form(name, [0xD0], group: group), form(name, [0xD1], group: group),
                form(name, [0xD2], group: group), form(name, [0xD3], group: group),
            ]
        }
        return forms + [
            form("shld", [0x0F, 0xA4], .any, .byte), form("shld", [0x0F, 0xA5]),
            form("shrd", [0x0F, 0xAC], .any, .byte), form("shrd", [0x0F, 0xAD]),
        ]
    }

    private static var unary: [InstructionForm] {
        var forms: [InstructionForm] = []
        for opcode in [0xF6, 0xF7] as [UInt8] {
            forms += [
                form("test", [opcode], group: 0, opcode == 0xF6 ? .byte : .full),
                form("test", [opcode], group: 1, opcode == 0xF6 ? .byte : .full),
                form("not", [opcode], group: 2, lock: true), form("neg", [opcode], group: 3, lock: true),
                form("mul", [opcode], group: 4), form("imul", [opcode], group: 5), form("div", [opcode], group: 6),
                form("idiv", [opcode], group: 7),
            ]
        }
        return forms + [
            form("inc", [0xFE], group: 0, lock: true), form("dec", [0xFE], group: 1, lock: true),
            form("inc", [0xFF], group: 0, lock: true), form("dec", [0xFF], group: 1, lock: true),
            form("inc", [0x40], .inOpcode, modes: old), form("dec", [0x48], .inOpcode, modes: old),
        ]
    }

    private static var moves: [InstructionForm] {
        var forms = [
            form("mov", [0x88]), form("mov", [0x89]), form("mov", [0x8A]), form("mov", [0x8B]),
            form("lea", [0x8D], .memoryOnly), form("mov", [0xC6], group: 0, .byte),
            form("mov", [0xC7], group: 0, .full),
            form("mov", [0xB0], .inOpcode, .byte), form("mov", [0xB8], .inOpcode, .wide),
            form("mov", [0xA0], .none, .address), form("mov", [0xA1], .none, .address),
            form("mov", [0xA2], .none, .address), form("mov", [0xA3], .none, .address),
            form("xchg", [0x86], lock: true), form("xchg", [0x87], lock: true), form("xchg", [0x90], .inOpcode),
            form("cbw", [0x98], .none), form("cwd", [0x99], .none), form("sahf", [0x9E], .none),
            form("lahf", [0x9F], .none), form("xlat", [0xD7], .none), form("bswap", [0x0F, 0xC8], .inOpcode),
            form("movzx", [0x0F, 0xB6]), form("movzx", [0x0F, 0xB7]), form("movsx", [0x0F, 0xBE]),
            form("movsx", [0x0F, 0xBF]), form("movsxd", [0x63], modes: [.bits64]),
            form("movbe", [0x0F, 0x38, 0xF0], .memoryOnly), form("movbe", [0x0F, 0x38, 0xF1], .memoryOnly),
            form("movnti", [0x0F, 0xC3], .memoryOnly, sizes: false), form("nop", [0x0F, 0x1F], group: 0),
        ]
        for flag in [0xF5, 0xF8, 0xF9, 0xFC, 0xFD] as [UInt8] { forms.append(form("flag", [flag], .none)) }
        for code in 0..<16 as Range<UInt8> {
            forms.append(form("cmov", [0x0F, 0x40 + code]))
            forms.append(form("setcc", [0x0F, 0x90 + code], group: 0))
        }
        return forms
    }

    private static var bits: [InstructionForm] {
        var forms: [InstructionForm] = []
        for opcode in [0xA3, 0xAB, 0xB3, 0xBB] as [UInt8] {
            forms.append(form("bt", [0x0F, opcode], lock: opcode != 0xA3))
        }
        for group in 4..<8 as Range<UInt8> {
            forms.append(form("bt", [0x0F, 0xBA], group: group, .byte, lock: group > 4))
        }
        return forms + [
            form("bsf", [0x0F, 0xBC]), form("bsr", [0x0F, 0xBD]), form("tzcnt", [0x0F, 0xBC], prefix: 0xF3),
            form("lzcnt", [0x0F, 0xBD], prefix: 0xF3), form("popcnt", [0x0F, 0xB8], prefix: 0xF3),
            form("crc32", [0x0F, 0x38, 0xF0], prefix: 0xF2), form("crc32", [0x0F, 0x38, 0xF1], prefix: 0xF2),
        ]
    }

    private static var strings: [InstructionForm] {
        ([0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF] as [UInt8]).map {
            form("string", [$0], .none, repeats: true)
        }
    }

    private static var stack: [InstructionForm] {
        [
            form("push", [0x50], .inOpcode), form("pop", [0x58], .inOpcode), form("push", [0x68], .none, .full),
            form("push", [0x6A], .none, .byte), form("push", [0xFF], group: 6), form("pop", [0x8F], group: 0),
            form("pusha", [0x60], .none, modes: old), form("popa", [0x61], .none, modes: old),
            form("leave", [0xC9], .none), form("pushf", [0x9C], .none),
        ]
    }

    private static var legacy: [InstructionForm] {
        [
            form("daa", [0x27], .none, modes: old), form("das", [0x2F], .none, modes: old),
            form("aaa", [0x37], .none, modes: old), form("aas", [0x3F], .none, modes: old),
            form("aam", [0xD4], .none, .byte, modes: old), form("aad", [0xD5], .none, .byte, modes: old),
            form("salc", [0xD6], .none, modes: old),
        ]
    }

    /// Branches over a CMC, so that it shows whether they were taken.
    private static var branches: [InstructionForm] {
        let short = (0x70..<0x80).map { form("jcc", [UInt8($0), 1], .none, sizes: false, tail: [0xF5]) }
        let loops = (0xE0..<0xE4).map { form("loop", [UInt8($0), 1], .none, sizes: false, tail: [0xF5]) }
        return short + loops + [form("jmp", [0xEB, 1], .none, sizes: false, tail: [0xF5])]
    }
}
