// SPDX-License-Identifier: MIT OR GPL-2.0-only
#if canImport(CUnicorn)
    internal import CUnicorn

    /// Runs cases on Unicorn: one engine for each mode, whose memory is this process's own, so that nothing is copied through it.
    @safe package final class UnicornEngine {
        package static var version: String {
            var (major, minor): (UInt32, UInt32) = (0, 0)
            let packed = unsafe uc_version(&major, &minor)
            return "\(major).\(minor).\(packed >> 8 & 0xFF)"
        }

        private var engine: OpaquePointer?
        /// The state before any case: exceptions leave traces that make a second one a double fault.
        private var fresh: OpaquePointer?
        private let isLong: Bool
        /// Cases so far: Unicorn's code buffer grows with each, to hundreds of MiB.
        private(set) var runs = 0
        static let mostRuns = 50_000
        private let memory: UnsafeMutableRawBufferPointer
        /// Set by the hook: Unicorn goes on after exceptions unless told to stop.
        fileprivate var vector: UInt8?

        package init(_ mode: CaseMode) {
            isLong = mode == .bits64
            unsafe memory = .allocate(byteCount: CaseMode.memorySize, alignment: 4096)
            unsafe memory.initializeMemory(as: UInt8.self, repeating: 0xF4)
            let kind = mode == .bits16 ? UC_MODE_16 : mode == .bits32 ? UC_MODE_32 : UC_MODE_64
            unsafe precondition(uc_open(UC_ARCH_X86, kind, &engine) == UC_ERR_OK, "Unicorn won't open")
            map(CaseMode.data, UC_PROT_READ.rawValue | UC_PROT_WRITE.rawValue)
            map(CaseMode.code, UC_PROT_READ.rawValue | UC_PROT_EXEC.rawValue)
            enableSSE()
            addInterruptHook()
            unsafe precondition(
                uc_context_alloc(engine, &fresh) == UC_ERR_OK && uc_context_save(engine, fresh) == UC_ERR_OK,
                "Unicorn won't save its state")
        }

        deinit {
            unsafe uc_context_free(fresh)
            unsafe uc_close(engine)
            unsafe memory.deallocate()
        }

        private func map(_ range: Range<Int>, _ rights: UInt32) {
            guard let base = unsafe memory.baseAddress else { return }
            let error = unsafe uc_mem_map_ptr(
                engine, UInt64(range.lowerBound), range.count, rights, base + range.lowerBound)
            precondition(error == UC_ERR_OK, "Unicorn won't map \(range): error \(error.rawValue)")
        }

        /// Sets CR4.OSFXSR, OSXMMEXCPT and FSGSBASE by MOV CR4, EAX: uc_reg_write doesn't tell 16-bit mode's decoder.
        private func enableSSE() {
            var control: UInt64 = 0x10600
            unsafe uc_reg_write(engine, Int32(UC_X86_REG_EAX.rawValue), &control)
            let place = CaseMode.code.lowerBound
            unsafe memory[place..<(place + 3)].copyBytes(from: [0x0F, 0x22, 0xE0])
            let error = unsafe uc_emu_start(engine, UInt64(place), UInt64(place + 3), 0, 0)
            precondition(error == UC_ERR_OK, "Unicorn won't write CR4: error \(error.rawValue)")
            for index in 0..<3 { unsafe memory[place + index] = 0xF4 }
        }

        private func addInterruptHook() {
            var hook: uc_hook = 0
            let callback: @convention(c) (OpaquePointer?, UInt32, UnsafeMutableRawPointer?) -> Void = {
                engine, number, context in
                if let context = unsafe context {
                    let this = unsafe Unmanaged<UnicornEngine>.fromOpaque(context).takeUnretainedValue()
                    if this.vector == nil { this.vector = UInt8(truncatingIfNeeded: number) }
                }
                unsafe uc_emu_stop(engine)
            }
            let error = unsafe likex_uc_hook_interrupt(
                engine, &hook, callback, Unmanaged.passUnretained(self).toOpaque())
            precondition(error == UC_ERR_OK, "Unicorn takes no interrupt hook: error \(error.rawValue)")
        }

        package func run(_ test: Case) -> EngineResult {
            let code = test.code
            let place = Int(test.start.rip)
            let end = UInt64(place + code.count)
            // What was translated from the bytes before must not run.
            unsafe likex_uc_forget(engine, UInt64(place), end + 16)
            unsafe memory[place..<(place + code.count)].copyBytes(from: code)
            // All other code memory is HLT.
            defer { for index in place..<Int(end) { unsafe memory[index] = 0xF4 } }
            unsafe memory[CaseMode.data].copyBytes(from: test.memory)
            unsafe uc_context_restore(engine, fresh)
            unsafe test.start.words.withUnsafeBufferPointer { words in
                _ = unsafe likex_uc_write(engine, isLong ? 1 : 0, words.baseAddress)
            }
            vector = nil
            let error = unsafe uc_emu_start(engine, UInt64(place), end, 0, 0)
            var state = CaseState()
            state.words = [UInt64](repeating: 0, count: CaseState.count)
            unsafe state.words.withUnsafeMutableBufferPointer { words in
                _ = unsafe likex_uc_read(engine, isLong ? 1 : 0, words.baseAddress)
            }
            return unsafe EngineResult(
                end: ending(error, at: state.rip, end), state: state, memory: [UInt8](memory[CaseMode.data]))
        }

        private func ending(_ error: uc_err, at rip: UInt64, _ end: UInt64) -> CaseEnd {
            if let vector { return .exception(vector) }
            switch error {
            case UC_ERR_OK: return rip == end ? .done : .other("a stop at \(hex(rip)) of \(hex(end))")
            case UC_ERR_INSN_INVALID: return .exception(6)
            case UC_ERR_READ_UNMAPPED, UC_ERR_WRITE_UNMAPPED, UC_ERR_FETCH_UNMAPPED, UC_ERR_READ_PROT,
                UC_ERR_WRITE_PROT,
                UC_ERR_FETCH_PROT:
                return .memory
            default: return .other("error \(error.rawValue)")
            }
        }
    }
#endif
