// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// D9 F0 to FF: the x87's functions.
extension Processor {
    mutating func executeX87Function(_ n: Int) {
        switch n {
        case 0: replaceTop { $0.exponential($1) }
        case 1: combineTopTwo { $0.logarithm($1, times: $2) }
        case 2: circularWithPush(.tangent)
        case 3: combineTopTwo { $0.arcTangent($2, $1) }
        case 4:
            pushSecond { (control, value) in
                let parts = control.extract(value)
                return (parts.exponent, parts.significand)
            }
        case 5: partialRemainder(toNearest: true)
        case 6, 7:
            // FDECSTP and FINCSTP.
            vectors.top += n == 6 ? -1 : 1
            vectors.finish(x87Control())
        case 8: partialRemainder(toNearest: false)
        case 9: combineTopTwo { $0.logarithmPlusOne($1, times: $2) }
        case 10: replaceTop { $0.squareRoot($1) }
        case 11: circularWithPush(.sine)
        case 12: replaceTop { $0.roundToInteger($1) }
        case 13:
            guard !vectors.isEmpty(0), !vectors.isEmpty(1) else {
                return stackUnderflow { $0.setST(0, .indefinite) }
            }
            var control = x87Control()
            let result = control.scale(vectors.st(0), vectors.st(1))
            deliver(control) { $0.setST(0, result) }
        default: circularInPlace(n == 14 ? .sine : .cosine)
        }
    }

    /// A function of ST(0) into ST(0).
    private mutating func replaceTop(_ function: (inout FloatControl, Extended) -> Extended) {
        guard !vectors.isEmpty(0) else { return stackUnderflow { $0.setST(0, .indefinite) } }
        var control = x87Control()
        let result = function(&control, vectors.st(0))
        deliver(control) { $0.setST(0, result) }
    }

    /// A function of ST(0) and ST(1) into ST(1), and a pop.
    private mutating func combineTopTwo(_ function: (inout FloatControl, Extended, Extended) -> Extended) {
        let replace = { (result: Extended) in
            { (state: inout VectorState) in
                state.setST(1, result)
                state.popST()
            }
        }
        guard !vectors.isEmpty(0), !vectors.isEmpty(1) else { return stackUnderflow(replace(.indefinite)) }
        var control = x87Control()
        let result = function(&control, vectors.st(0), vectors.st(1))
        deliver(control, replace(result))
    }

    /// A function of ST(0) with two results: the first replaces it, the second is pushed.
    private mutating func pushSecond(_ function: (inout FloatControl, Extended) -> (Extended, Extended)) {
        let replace = { (first: Extended, second: Extended) in
            { (state: inout VectorState) in
                state.setST(0, first)
                state.pushST(second)
            }
        }
        guard !vectors.isEmpty(0) else { return stackUnderflow(replace(.indefinite, .indefinite)) }
        guard vectors.isEmpty(7) else { return stackOverflow(replace(.indefinite, .indefinite)) }
        var control = x87Control()
        let (first, second) = function(&control, vectors.st(0))
        deliver(control, replace(first, second))
    }

    /// FSIN and FCOS. C2 tells that the argument was too large.
    private mutating func circularInPlace(_ function: FloatControl.Circular) {
        guard !vectors.isEmpty(0) else { return stackUnderflow { $0.setST(0, .indefinite) } }
        var control = x87Control()
        guard let result = control.circular(function, vectors.st(0)) else { return refuseArgument() }
        vectors.statusWord &= ~VectorState.condition2
        deliver(control) { $0.setST(0, result) }
    }

    /// FPTAN, which pushes 1 after the tangent, and FSINCOS, which pushes the cosine after the sine.
    private mutating func circularWithPush(_ function: FloatControl.Circular) {
        if !vectors.isEmpty(0), vectors.isEmpty(7) {
            var control = x87Control()
            if control.circular(function, vectors.st(0)) == nil { return refuseArgument() }
        }
        vectors.statusWord &= ~VectorState.condition2
        pushSecond { (control, value) in
            let first = control.circular(function, value) ?? value
            guard function == .sine else {
                // With a NaN there is no tangent, and so no 1.
                return (first, first.isNaN ? first : .one)
            }
            return (first, control.circular(.cosine, value) ?? value)
        }
    }

    private mutating func refuseArgument() {
        vectors.statusWord |= VectorState.condition2
        vectors.finish(x87Control())
    }

    /// FPREM and FPREM1: the quotient's low bits go to C1, C3 and C0.
    private mutating func partialRemainder(toNearest: Bool) {
        vectors.statusWord &= ~VectorState.condition2
        guard !vectors.isEmpty(0), !vectors.isEmpty(1) else {
            return stackUnderflow { $0.setST(0, .indefinite) }
        }
        var control = x87Control()
        let result = control.remainder(vectors.st(0), vectors.st(1), toNearest: toNearest)
        deliver(control) { state in
            state.setST(0, result.value)
            guard result.isValid else { return }
            var conditions: UInt16 = result.isComplete ? 0 : VectorState.condition2
            if result.quotient & 4 != 0 { conditions |= VectorState.condition0 }
            if result.quotient & 2 != 0 { conditions |= VectorState.condition3 }
            state.setConditions(conditions)
        }
        if !control.stops && result.quotient & 1 != 0 { vectors.statusWord |= VectorState.condition1 }
    }
}
