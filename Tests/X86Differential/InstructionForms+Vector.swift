// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension InstructionForms {
    static var bmi: [InstructionForm] {
        func vex(
            _ name: String, _ map: UInt8, _ prefix: UInt8, _ opcode: UInt8, group: UInt8? = nil,
            vector: Bool = true, immediate: InstructionForm.Immediate = .none
        ) -> InstructionForm {
            InstructionForm(
                name: name, opcode: [opcode], group: group, immediate: immediate, modes: [.bits32, .bits64],
                encoding: .vex(map: map, prefix: prefix, usesVector: vector), hasSizes: false)
        }
        return [
            vex("andn", 2, 0, 0xF2), vex("blsr", 2, 0, 0xF3, group: 1), vex("blsmsk", 2, 0, 0xF3, group: 2),
            vex("blsi", 2, 0, 0xF3, group: 3), vex("bzhi", 2, 0, 0xF5), vex("pext", 2, 2, 0xF5),
            vex("pdep", 2, 3, 0xF5), vex("mulx", 2, 3, 0xF6), vex("bextr", 2, 0, 0xF7), vex("shlx", 2, 1, 0xF7),
            vex("sarx", 2, 2, 0xF7), vex("shrx", 2, 3, 0xF7),
            vex("rorx", 3, 3, 0xF0, vector: false, immediate: .byte),
        ]
    }

    static var sse: [InstructionForm] {
        var forms: [InstructionForm] = []
        func add(
            _ name: String, _ opcodes: [UInt8], _ prefixes: [UInt8], _ operand: InstructionForm.Operand = .any,
            group: UInt8? = nil, immediate: InstructionForm.Immediate = .none
        ) {
            for opcode in opcodes {
                for prefix in prefixes {
                    forms.append(
                        InstructionForm(
                            name: name, prefix: prefix, opcode: [0x0F, opcode], operand: operand, group: group,
                            immediate: immediate, hasSizes: false, isVector: true))
                }
            }
        }
        add("movups", [0x10, 0x11], [0, 0x66, 0xF3, 0xF2])
        add("movaps", [0x28, 0x29], [0, 0x66])
        add("movdq", [0x6F, 0x7F], [0x66, 0xF3])
        add("movlps", [0x12, 0x13, 0x16, 0x17], [0, 0x66], .memoryOnly)
        add("movhlps", [0x12, 0x16], [0], .registerOnly)
        add("movnt", [0x2B], [0, 0x66], .memoryOnly)
        add("movntdq", [0xE7], [0x66], .memoryOnly)
        add("movd", [0x6E, 0x7E], [0x66])
        add("movq", [0x7E], [0xF3])
        add("movq", [0xD6], [0x66])
        add("logic", [0x14, 0x15, 0x54, 0x55, 0x56, 0x57], [0, 0x66])
        add("movmsk", [0x50], [0, 0x66], .registerOnly)
        add("shufps", [0xC6], [0, 0x66], immediate: .byte)
        add("pshuf", [0x70], [0x66, 0xF2, 0xF3], immediate: .byte)
        add("pinsrw", [0xC4], [0x66], immediate: .byte)
        add("pextrw", [0xC5], [0x66], .registerOnly, immediate: .byte)
        add("pmovmskb", [0xD7], [0x66], .registerOnly)
        for (opcode, groups) in [(0x71, [2, 4, 6]), (0x72, [2, 4, 6]), (0x73, [2, 3, 6, 7])] as [(UInt8, [UInt8])] {
            for group in groups { add("pshift", [opcode], [0x66], .registerOnly, group: group, immediate: .byte) }
        }
        let packed =
            Array(0x60...0x6D) + Array(0x74...0x76) + Array(0xD1...0xD5) + Array(0xD8...0xE5) + Array(0xE8...0xEF)
            + Array(0xF1...0xF6) + Array(0xF8...0xFE)
        add("packed", packed.map { UInt8($0) }, [0x66])
        add("float", [0x51, 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F], [0, 0x66, 0xF3, 0xF2])
        add("comi", [0x2E, 0x2F], [0, 0x66])
        add("cvtsi", [0x2A], [0xF3, 0xF2])
        add("cvt2si", [0x2C, 0x2D], [0xF3, 0xF2])
        add("cvtwidth", [0x5A], [0, 0x66, 0xF3, 0xF2])
        add("cvtpacked", [0x5B], [0, 0x66, 0xF3])
        add("cvtpacked", [0xE6], [0x66, 0xF3, 0xF2])
        add("cmpps", [0xC2], [0, 0x66, 0xF3, 0xF2], immediate: .byte)
        return forms
    }
}
