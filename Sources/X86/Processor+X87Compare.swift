// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// x87 comparisons: FCOM, FUCOM, FCOMI, FUCOMI, FTST, FXAM and their popping forms. An unmasked exception leaves the stack as it is, but the
/// flags tell of the comparison: the SDM has them unchanged after an invalid operation, an EPYC processor sets them.
extension Processor {
    private static func conditions(_ order: FloatControl.Order) -> UInt16 {
        switch order {
        case .greater: 0
        case .less: VectorState.condition0
        case .equal: VectorState.condition3
        case .unordered: VectorState.conditions
        }
    }

    mutating func compareX87(_ n: Int, pops: Int, isQuiet: Bool = false) {
        guard !vectors.isEmpty(0), !vectors.isEmpty(n) else { return compareWithNothing(pops: pops) }
        compareX87(with: vectors.st(n), pops: pops, isQuiet: isQuiet)
    }

    mutating func compareWithNothing(pops: Int) {
        vectors.setConditions(VectorState.conditions)
        stackUnderflow { state in
            for _ in 0..<pops { state.popST() }
        }
    }

    mutating func compareX87(
        with operand: Extended, pops: Int, isQuiet: Bool = false, control: FloatControl? = nil
    ) {
        var control = control ?? x87Control()
        let order = control.compare(vectors.st(0), operand, isQuiet: isQuiet)
        vectors.setConditions(Self.conditions(order))
        deliver(control) { state in
            for _ in 0..<pops { state.popST() }
        }
    }

    /// FCOMI and its like: to ZF, PF and CF; OF, SF and AF become 0.
    mutating func compareToFlags(_ n: Int, pops: Bool, isQuiet: Bool) {
        var result = Flag.zero | Flag.parity | Flag.carry
        if vectors.isEmpty(0) || vectors.isEmpty(n) {
            stackUnderflow { if pops { $0.popST() } }
        } else {
            var control = x87Control()
            switch control.compare(vectors.st(0), vectors.st(n), isQuiet: isQuiet) {
            case .greater: result = 0
            case .less: result = Flag.carry
            case .equal: result = Flag.zero
            case .unordered: break
            }
            deliver(control) { if pops { $0.popST() } }
        }
        flags = flags & ~Flag.status | result
    }

    /// D9 E0 to E7: FCHS, FABS, FTST, FXAM.
    mutating func examineX87(_ n: Int) throws(Trap) {
        let value = vectors.st(0)
        switch n {
        case 0, 1:
            guard !vectors.isEmpty(0) else { return stackUnderflow { $0.setST(0, .indefinite) } }
            deliver(x87Control()) { $0.setST(0, n == 0 ? value.negated : value.magnitude) }
        case 4:
            guard !vectors.isEmpty(0) else { return compareWithNothing(pops: 0) }
            compareX87(with: .zero, pops: 0)
        case 5:
            let (c0, c2, c3) = (VectorState.condition0, VectorState.condition2, VectorState.condition3)
            let kind: UInt16 =
                if vectors.isEmpty(0) {
                    c3 | c0
                } else if value.isUnsupported {
                    0
                } else if value.isNaN {
                    c0
                } else if value.isInfinity {
                    c2 | c0
                } else if value.isZero {
                    c3
                } else {
                    value.isDenormal ? c3 | c2 : c2
                }
            vectors.setConditions(kind)
            let sign = value.isNegative ? VectorState.condition1 : 0
            vectors.statusWord = vectors.statusWord & ~VectorState.condition1 | sign
        default: throw .undefined
        }
    }
}
