// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// x87 instructions on registers.
extension Processor {
    mutating func executeX87Register(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let n = Int(i.rm & 7)
        switch (opcode, i.group) {
        case (0xD8, 2), (0xDC, 2): compareX87(n, pops: 0)
        case (0xD8, 3), (0xDC, 3), (0xDE, 2): compareX87(n, pops: 1)
        case (0xD8, _): arithmeticX87(i.group, n, to: 0)
        case (0xDC, _): arithmeticX87(i.group, n, to: n)
        case (0xDE, 3):
            guard n == 1 else { throw .undefined }
            compareX87(1, pops: 2)
        case (0xDE, _): arithmeticX87(i.group, n, to: n, pops: true)
        case (0xD9, 0): loadRegister(n)
        case (0xD9, 1), (0xDD, 1), (0xDF, 1): exchangeRegisters(n)
        case (0xD9, 2):
            // FNOP
            guard n == 0 else { throw .undefined }
        case (0xDD, 2): storeRegister(n, pops: false)
        case (0xD9, 3) where vectors.isEmpty(0):
            // This encoding of FSTP, which no manual lists, doesn't mind that there is nothing to store.
            deliver(x87Control()) { $0.popST() }
        case (0xD9, 3), (0xDD, 3), (0xDF, 2), (0xDF, 3): storeRegister(n, pops: true)
        case (0xD9, 4): try examineX87(n)
        case (0xD9, 5):
            guard n < 7 else { throw .undefined }
            loadConstant(n)
        case (0xD9, 6), (0xD9, 7): executeX87Function(Int(i.group & 1) * 8 + n)
        case (0xDA, 0...3): moveIf(Int(i.group), n)
        case (0xDB, 0...3): moveIf(Int(i.group) + 4, n)
        case (0xDA, 5):
            guard n == 1 else { throw .undefined }
            compareX87(1, pops: 2, isQuiet: true)
        case (0xDB, 5): compareToFlags(n, pops: false, isQuiet: true)
        case (0xDB, 6): compareToFlags(n, pops: false, isQuiet: false)
        case (0xDD, 0): deliver(x87Control()) { $0.free(n) }
        case (0xDD, 4): compareX87(n, pops: 0, isQuiet: true)
        case (0xDD, 5): compareX87(n, pops: 1, isQuiet: true)
        case (0xDF, 0):
            // FFREEP, which no manual lists and all processors have.
            deliver(x87Control()) { state in
                state.free(n)
                state.popST()
            }
        case (0xDF, 5): compareToFlags(n, pops: true, isQuiet: true)
        case (0xDF, 6): compareToFlags(n, pops: true, isQuiet: false)
        default: throw .undefined
        }
        noteX87(i, opcode)
    }

    private mutating func arithmeticX87(_ operation: UInt8, _ n: Int, to destination: Int, pops: Bool = false) {
        guard !vectors.isEmpty(0), !vectors.isEmpty(n) else {
            return stackUnderflow { state in
                state.setST(destination, .indefinite)
                if pops { state.popST() }
            }
        }
        var control = x87Control()
        let result = control.arithmetic(operation, vectors.st(0), vectors.st(n))
        deliver(control) { state in
            state.setST(destination, result)
            if pops { state.popST() }
        }
    }

    private mutating func loadRegister(_ n: Int) {
        guard !vectors.isEmpty(n) else { return stackUnderflow { $0.pushST(.indefinite) } }
        guard vectors.isEmpty(7) else { return stackOverflow { $0.pushST(.indefinite) } }
        let value = vectors.st(n)
        deliver(x87Control()) { $0.pushST(value) }
    }

    private mutating func exchangeRegisters(_ n: Int) {
        let values = (
            vectors.isEmpty(0) ? .indefinite : vectors.st(0), vectors.isEmpty(n) ? .indefinite : vectors.st(n)
        )
        let exchange = { (state: inout VectorState) in
            state.setST(0, values.1)
            state.setST(n, values.0)
        }
        if vectors.isEmpty(0) || vectors.isEmpty(n) {
            stackUnderflow(exchange)
        } else {
            deliver(x87Control(), exchange)
        }
    }

    private mutating func storeRegister(_ n: Int, pops: Bool) {
        let value = vectors.st(0)
        guard !vectors.isEmpty(0) else {
            return stackUnderflow { state in
                state.setST(n, .indefinite)
                if pops { state.popST() }
            }
        }
        deliver(x87Control()) { state in
            state.setST(n, value)
            if pops { state.popST() }
        }
    }

    /// FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: the constants have more bits than a register, so rounding shows.
    private mutating func loadConstant(_ n: Int) {
        guard vectors.isEmpty(7) else { return stackOverflow { $0.pushST(.indefinite) } }
        let rounding = x87Control().rounding
        // Head, significand rounded down, whether the nearest is the one above.
        let table: [(UInt16, UInt64, Bool)] = [
            (0x3FFF, 1 << 63, false), (0x4000, 0xD49A_784B_CD1B_8AFE, false), (0x3FFF, 0xB8AA_3B29_5C17_F0BB, true),
            (0x4000, 0xC90F_DAA2_2168_C234, true), (0x3FFD, 0x9A20_9A84_FBCF_F798, true),
            (0x3FFE, 0xB172_17F7_D1CF_79AB, true), (0, 0, false),
        ]
        let (head, significand, isNearerAbove) = table[n]
        let isExact = n == 0 || n == 6
        let isUp = !isExact && (rounding == .up || rounding == .nearest && isNearerAbove)
        deliver(x87Control()) { $0.pushST(Extended(head: head, significand: significand + (isUp ? 1 : 0))) }
    }

    /// FCMOVcc: below, equal, below or equal, unordered; then their opposites.
    private mutating func moveIf(_ condition: Int, _ n: Int) {
        guard !vectors.isEmpty(0), !vectors.isEmpty(n) else {
            return stackUnderflow { $0.setST(0, .indefinite) }
        }
        let mask = [Flag.carry, Flag.zero, Flag.carry | Flag.zero, Flag.parity][condition & 3]
        if (flags & mask != 0) == (condition < 4) { vectors.setST(0, vectors.st(n)) }
    }
}
