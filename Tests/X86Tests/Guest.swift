// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86
import X86Differential

/// A processor with a little RAM, for tests of single instructions.
struct Guest: ~Copyable {
    static let code = 0x1000
    static let data = 0x4000
    static let stack = 0x9000

    let memory = FlatMemory(size: 1 << 20)
    var processor: Processor

    init(_ mode: CaseMode, _ code: [UInt8] = []) {
        processor = Processor(bus: memory)
        mode.prepare(&processor)
        memory.write(code, at: Guest.code)
        processor.rip = UInt64(Guest.code)
        processor.registers[Register.rsp] = UInt64(Guest.stack)
        processor.registers[Register.rsi] = UInt64(Guest.data)
        processor.registers[Register.rdi] = UInt64(Guest.data) + 0x800
        // Tests see exceptions instead of a handler.
        processor.interceptedExceptions = .max
    }

    /// Steps until an instruction is done, which REP needs more than one step for.
    mutating func execute(_ count: Int = 1) -> Outcome {
        let target = processor.retired + UInt64(count)
        var outcome = Outcome.retired
        while processor.retired < target && outcome == .retired { outcome = processor.step() }
        return outcome
    }

    subscript(number: Int) -> UInt64 {
        get { processor.registers[number] }
        set { processor.registers[number] = newValue }
    }

    var flags: UInt64 { processor.flags }
    var rip: UInt64 { processor.rip }
}

extension ProcessorException {
    static let undefinedInstruction = ProcessorException(vector: undefined)
    static let division = ProcessorException(vector: divideError)
    static func general(_ code: UInt32 = 0) -> ProcessorException {
        ProcessorException(vector: generalProtection, errorCode: code)
    }
    static func page(_ code: UInt32) -> ProcessorException { ProcessorException(vector: pageFault, errorCode: code) }
}
