// SPDX-License-Identifier: MIT OR GPL-2.0-only
#if canImport(CUnicorn)
import CUnicorn

/// Runs differential cases on Unicorn, as many as there are places for code.
@safe final class UnicornEngine {
    private var engine: OpaquePointer?
    private let mode: Mode
    private let general: [uc_x86_reg] = [
        UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_RSI,
        UC_X86_REG_RDI, UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11, UC_X86_REG_R12, UC_X86_REG_R13,
        UC_X86_REG_R14, UC_X86_REG_R15,
    ]
    private let narrow: [uc_x86_reg] = [
        UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX, UC_X86_REG_ESP, UC_X86_REG_EBP, UC_X86_REG_ESI,
        UC_X86_REG_EDI,
    ]
    private var places: Range<Int>
    /// Set by the hook: Unicorn goes on after INT n and the like unless told to stop.
    fileprivate var sawInterrupt = false

    init(_ mode: Mode) {
        self.mode = mode
        places = Case.codeRange(mode)
        let kind = mode == .bits16 ? UC_MODE_16 : mode == .bits32 ? UC_MODE_32 : UC_MODE_64
        unsafe precondition(uc_open(UC_ARCH_X86, kind, &engine) == UC_ERR_OK, "Unicorn won't open")
        unsafe precondition(
            uc_mem_map(engine, 0, Case.memorySize, UInt32(UC_PROT_ALL.rawValue)) == UC_ERR_OK, "Unicorn won't map RAM")
        var control: UInt64 = 0x600 | 1 << 16
        unsafe uc_reg_write(engine, Int32(UC_X86_REG_CR4.rawValue), &control)
        addInterruptHook()
    }

    /// A place for `size` bytes of code that this engine hasn't run from, or nil when they are used up.
    func takePlace(_ size: Int) -> Int? {
        guard places.count >= size else { return nil }
        defer { places = (places.lowerBound + size)..<places.upperBound }
        return places.lowerBound
    }

    deinit { unsafe uc_close(engine) }

    private func addInterruptHook() {
        var hook: uc_hook = 0
        let callback: @convention(c) (OpaquePointer?, UInt32, UnsafeMutableRawPointer?) -> Void = { engine, _, context in
            if let context = unsafe context {
                unsafe Unmanaged<UnicornEngine>.fromOpaque(context).takeUnretainedValue().sawInterrupt = true
            }
            unsafe uc_emu_stop(engine)
        }
        unsafe likex_uc_hook_interrupt(engine, &hook, callback, Unmanaged.passUnretained(self).toOpaque())
    }

    private func setRegister(_ register: uc_x86_reg, _ value: UInt64) {
        var value = value
        unsafe uc_reg_write(engine, Int32(register.rawValue), &value)
    }

    private func register(_ register: uc_x86_reg) -> UInt64 {
        var value: UInt64 = 0
        unsafe uc_reg_read(engine, Int32(register.rawValue), &value)
        return value
    }

    private func write(_ bytes: [UInt8], at address: Int) {
        unsafe uc_mem_write(engine, UInt64(address), bytes, bytes.count)
    }

    func run(_ test: Case, at place: Int) -> EngineResult {
        let names = mode == .bits64 ? general : narrow
        for (number, name) in names.enumerated() { setRegister(name, test.start.registers[number]) }
        for number in 0..<(mode == .bits64 ? 16 : 8) {
            var value = (test.start.xmm[2 * number], test.start.xmm[2 * number + 1])
            unsafe uc_reg_write(engine, Int32(UC_X86_REG_XMM0.rawValue) + Int32(number), &value)
        }
        var mxcsr: UInt32 = 0x1F80
        unsafe uc_reg_write(engine, Int32(UC_X86_REG_MXCSR.rawValue), &mxcsr)
        setRegister(UC_X86_REG_EFLAGS, test.start.flags)
        write([UInt8](repeating: 0xF4, count: test.code.count + 16), at: place)
        write(test.code, at: place)
        write(test.start.memory, at: Case.window.lowerBound)
        sawInterrupt = false
        let end = UInt64(place + test.code.count)
        let error = unsafe uc_emu_start(engine, UInt64(place), end, 0, 2000)

        var state = CaseState()
        for (number, name) in names.enumerated() { state.registers[number] = register(name) }
        for number in 0..<(mode == .bits64 ? 16 : 8) {
            var value: (UInt64, UInt64) = (0, 0)
            unsafe uc_reg_read(engine, Int32(UC_X86_REG_XMM0.rawValue) + Int32(number), &value)
            (state.xmm[2 * number], state.xmm[2 * number + 1]) = value
        }
        state.flags = register(UC_X86_REG_EFLAGS) & 0xFFFF_FFFF
        state.rip = register(mode == .bits64 ? UC_X86_REG_RIP : UC_X86_REG_EIP)
        state.memory = [UInt8](repeating: 0, count: Case.window.count)
        unsafe uc_mem_read(engine, UInt64(Case.window.lowerBound), &state.memory, state.memory.count)
        return EngineResult(
            end: error == UC_ERR_OK && !sawInterrupt && state.rip == end ? .done : .exception, state: state)
    }
}
#endif
