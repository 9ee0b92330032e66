// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension VectorState {
    static let condition0: UInt16 = 1 << 8
    static let condition1: UInt16 = 1 << 9
    static let condition2: UInt16 = 1 << 10
    static let condition3: UInt16 = 1 << 14
    static let conditions = condition0 | condition2 | condition3
    /// ES, and B, which has been its copy since the 80387.
    static let summary: UInt16 = 0x8080

    /// The register that ST(n) is.
    @inline(__always)
    func physical(_ n: Int) -> Int { (Int(statusWord >> 11) &+ n) & 7 }

    var top: Int {
        get { physical(0) }
        set { statusWord = statusWord & ~0x3800 | UInt16(newValue & 7) << 11 }
    }

    /// ST(n), whether it is empty or not: the image as FXSAVE has it.
    public subscript(stack n: Int) -> SIMD2<UInt64> {
        get { x87[physical(n)] }
        set { x87[physical(n)] = newValue }
    }

    func isEmpty(_ n: Int) -> Bool { tagWord >> UInt8(physical(n)) & 1 == 0 }

    func st(_ n: Int) -> Extended { Extended(x87[physical(n)]) }

    mutating func setST(_ n: Int, _ value: Extended) {
        x87[physical(n)] = value.image
        tagWord |= 1 << UInt8(physical(n))
    }

    mutating func free(_ n: Int) { tagWord &= ~(1 << UInt8(physical(n))) }

    mutating func pushST(_ value: Extended) {
        top -= 1
        setST(0, value)
    }

    mutating func popST() {
        free(0)
        top += 1
    }

    /// Sets ES and B from the exceptions and their masks.
    mutating func refreshSummary() {
        let isPending = statusWord & ~controlWord & 0x3F != 0
        statusWord = isPending ? statusWord | Self.summary : statusWord & ~Self.summary
    }

    /// Notes an instruction's exceptions, and C1.
    mutating func finish(_ control: FloatControl) {
        statusWord = statusWord & ~Self.condition1 | control.raised | (control.isRoundedUp ? Self.condition1 : 0)
        refreshSummary()
    }

    mutating func setConditions(_ conditions: UInt16) { statusWord = statusWord & ~Self.conditions | conditions }

    /// FNINIT, which leaves the registers' contents.
    mutating func initialize() {
        controlWord = 0x037F
        statusWord = 0
        tagWord = 0
        (lastOpcode, lastInstruction, lastData) = (0, 0, 0)
    }
}

/// The x87 (SDM vol. 1, ch. 8).
extension Processor {
    mutating func executeX87(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        if cr0 & (CR0.emulation | CR0.taskSwitched) != 0 { throw .deviceNotAvailable }
        if try executeX87Control(i, opcode) { return }
        try requireNoX87Exception()
        if i.isRegister {
            try executeX87Register(i, opcode)
        } else {
            try executeX87Memory(i, opcode)
        }
    }

    /// #MF for an exception that an earlier instruction left. Without CR0.NE a processor asserts FERR# and waits for the interrupt
    /// which that makes; here, as with IGNNE# asserted, it goes on.
    mutating func requireNoX87Exception() throws(Trap) {
        if vectors.statusWord & 0x80 != 0 && cr0 & CR0.numericError != 0 { throw .floatingPoint }
    }

    /// Notes where the last instruction was that isn't a control instruction. CPUID says that there are no selectors.
    mutating func noteX87(_ i: Instruction, _ opcode: UInt8) {
        vectors.lastOpcode = UInt16(opcode & 7) << 8 | UInt16(truncatingIfNeeded: i.immediate & 0xFF)
        vectors.lastInstruction = (rip &- UInt64(i.length)) & instructionPointerMask
        if !i.isRegister { vectors.lastData = offset(i) }
    }

    func x87Control() -> FloatControl { FloatControl(controlWord: vectors.controlWord) }

    /// An instruction that found a register empty: `masked` is done if the exception is masked.
    mutating func stackUnderflow(_ masked: (inout VectorState) -> Void) {
        var control = x87Control()
        control.raise(FloatControl.invalid | FloatControl.stackFault)
        if !control.stops { masked(&vectors) }
        vectors.finish(control)
    }

    /// An instruction that found no room to push.
    mutating func stackOverflow(_ masked: (inout VectorState) -> Void) {
        var control = x87Control()
        control.raise(FloatControl.invalid | FloatControl.stackFault)
        control.isRoundedUp = true
        if !control.stops { masked(&vectors) }
        vectors.finish(control)
    }

    /// Ends an instruction with a result: `store` puts it into its place unless an unmasked exception forbids.
    mutating func deliver(_ control: FloatControl, _ store: (inout VectorState) -> Void) {
        var control = control
        if control.stops {
            // There was no result, so neither was there one that didn't fit.
            control.raised &= FloatControl.invalid | FloatControl.denormal | FloatControl.zeroDivide
            control.isRoundedUp = false
        } else {
            store(&vectors)
        }
        vectors.finish(control)
    }
}
