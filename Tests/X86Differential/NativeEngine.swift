// SPDX-License-Identifier: MIT OR GPL-2.0-only
internal import CNativeCPU

/// Runs 64-bit cases on this machine's own processor, in user mode: the judge between the interpreter and Unicorn.
@safe package final class NativeEngine {
    /// The processor's name.
    package let name: String

    /// Nil where this isn't an x86-64 processor, or the low addresses that cases use can't be mapped (vm.mmap_min_addr).
    package init?() {
        let (data, code) = (CaseMode.data, CaseMode.code)
        guard
            native_cpu_prepare(UInt64(data.lowerBound), data.count, UInt64(code.lowerBound), code.count) == 0
        else { return nil }
        var text = [CChar](repeating: 0, count: 49)
        unsafe native_cpu_name(&text)
        name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    package func run(_ test: Case) -> EngineResult {
        precondition(test.mode == .bits64)
        let memory = unsafe UnsafeMutableRawBufferPointer(start: native_cpu_data(), count: CaseMode.data.count)
        unsafe memory.copyBytes(from: test.memory)
        var state = test.start
        let code = test.code
        let vector = unsafe state.words.withUnsafeMutableBufferPointer { words in
            unsafe native_cpu_run(words.baseAddress, code, code.count)
        }
        let end: CaseEnd =
            switch vector {
            case -1: .done
            case 0..<32: vector == 14 ? .memory : .exception(UInt8(vector))
            default: .other("a place that isn't mapped")
            }
        return unsafe EngineResult(end: end, state: state, memory: [UInt8](memory))
    }
}
