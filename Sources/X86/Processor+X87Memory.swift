// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// x87 instructions with a memory operand. Memory is accessed before any state changes, so that a fault leaves none.
extension Processor {
    mutating func executeX87Memory(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        switch (opcode, i.group) {
        case (0xD8, _), (0xDC, _):
            let size: UInt8 = opcode == 0xD8 ? 4 : 8
            let bits = try readRM(i, size)
            arithmeticX87(i.group) { $0.load(bits: bits, size: size) }
        case (0xDA, _), (0xDE, _):
            let size: UInt8 = opcode == 0xDA ? 4 : 2
            let value = Int64(bitPattern: signExtend(try readRM(i, size), size))
            arithmeticX87(i.group) { _ in Extended(integer: value) }
        case (0xD9, 0), (0xDD, 0):
            let size: UInt8 = opcode == 0xD9 ? 4 : 8
            let bits = try readRM(i, size)
            loadX87 { control in
                let value = control.load(bits: bits, size: size)
                control.noteDenormals(value, value)
                return control.special(value) ?? value
            }
        case (0xDB, 5):
            let value = try loadExtended(i)
            loadX87 { _ in value }
        case (0xDB, 0), (0xDF, 0), (0xDF, 5):
            let size: UInt8 = opcode == 0xDB ? 4 : i.group == 0 ? 2 : 8
            let value = Int64(bitPattern: signExtend(try readRM(i, size), size))
            loadX87 { _ in Extended(integer: value) }
        case (0xDF, 4):
            let address = try operandAddress(i, 10, write: false)
            let low = try load(address, 8)
            let high = UInt16(truncatingIfNeeded: try load(advanced(address, 8), 2))
            loadX87 { _ in Extended(decimalLow: low, high: high) }
        case (0xD9, 2), (0xD9, 3), (0xDD, 2), (0xDD, 3):
            let size: UInt8 = opcode == 0xD9 ? 4 : 8
            try storeX87(i, size, pops: i.group == 3) { control, value in
                control.store(value, size: size).map { Vector($0, 0) }
            } indefinite: {
                Vector(size == 4 ? 0xFFC0_0000 : 0xFFF8 << 48, 0)
            }
        case (0xDB, 7):
            try storeX87(i, 10, pops: true) { _, value in
                value.image
            } indefinite: {
                Extended.indefinite.image
            }
        case (0xDB, 1...3), (0xDD, 1), (0xDF, 1...3), (0xDF, 7): try storeIntegerX87(i, opcode)
        case (0xDF, 6):
            try storeX87(i, 10, pops: true) { control, value in
                control.storeDecimal(value).map { Vector($0.low, UInt64($0.high)) }
            } indefinite: {
                Vector(0xC000_0000_0000_0000, 0xFFFF)
            }
        default: throw .undefined
        }
        noteX87(i, opcode)
    }

    /// FIST, FISTP and FISTTP.
    private mutating func storeIntegerX87(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let size: UInt8 = opcode == 0xDB ? 4 : opcode == 0xDD || i.group == 7 ? 8 : 2
        let truncates = i.group == 1
        try storeX87(i, size, pops: i.group != 2) { control, value in
            if truncates { control.rounding = .zero }
            return control.storeInteger(value, size: size).map { Vector($0, 0) }
        } indefinite: {
            Vector(1 << (8 * UInt64(size) - 1), 0)
        }
    }

    /// ST(0) and an operand from memory: FADD, FMUL, FCOM, FCOMP, FSUB, FSUBR, FDIV, FDIVR and their integer forms.
    private mutating func arithmeticX87(_ operation: UInt8, _ operand: (inout FloatControl) -> Extended) {
        let pops = operation == 3 ? 1 : 0
        if operation == 2 || operation == 3 {
            guard !vectors.isEmpty(0) else { return compareWithNothing(pops: pops) }
            var control = x87Control()
            let value = operand(&control)
            return compareX87(with: value, pops: pops, control: control)
        }
        guard !vectors.isEmpty(0) else { return stackUnderflow { $0.setST(0, .indefinite) } }
        var control = x87Control()
        let value = operand(&control)
        let result = control.arithmetic(operation, vectors.st(0), value)
        deliver(control) { $0.setST(0, result) }
    }

    private mutating func loadX87(_ value: (inout FloatControl) -> Extended) {
        guard vectors.isEmpty(7) else { return stackOverflow { $0.pushST(.indefinite) } }
        var control = x87Control()
        let value = value(&control)
        // A denormal is loaded whether its exception is masked or not.
        let isInvalid = control.raised & FloatControl.invalid != 0 && !control.isMasked(FloatControl.invalid)
        if !isInvalid { vectors.pushST(value) }
        vectors.finish(control)
    }

    private mutating func loadExtended(_ i: Instruction) throws(Trap) -> Extended {
        let address = try operandAddress(i, 10, write: false)
        let significand = try load(address, 8)
        return Extended(head: UInt16(truncatingIfNeeded: try load(advanced(address, 8), 2)), significand: significand)
    }

    /// Stores what `convert` makes of ST(0); if that is nil, an unmasked exception leaves memory and stack as they are.
    private mutating func storeX87(
        _ i: Instruction, _ size: UInt8, pops: Bool, _ convert: (inout FloatControl, Extended) -> Vector?,
        indefinite: () -> Vector
    ) throws(Trap) {
        let address = try operandAddress(i, size, write: true)
        var control = x87Control()
        let image: Vector?
        if vectors.isEmpty(0) {
            control.raise(FloatControl.invalid | FloatControl.stackFault)
            image = control.stops ? nil : indefinite()
        } else {
            image = convert(&control, vectors.st(0))
        }
        if let image {
            if size == 10 {
                try checkWritable(advanced(address, 8), 2)
                try store(address, 8, image[0])
                try store(advanced(address, 8), 2, image[1])
            } else {
                try store(address, size, image[0])
            }
            if pops { vectors.popST() }
        }
        vectors.finish(control)
    }
}
