// SPDX-License-Identifier: MIT OR GPL-2.0-only
#if canImport(CUnicorn)
    import CUnicorn

    /// Seconds of processor time that Unicorn takes for a program.
    func unicornTime(_ program: Program, _ folder: String) -> Double {
        var engine: OpaquePointer?
        unsafe check(uc_open(UC_ARCH_X86, UC_MODE_64, &engine))
        defer { unsafe uc_close(engine) }
        unsafe check(uc_mem_map(engine, 0, Program.memorySize, UInt32(UC_PROT_ALL.rawValue)))
        let image = program.image(folder)
        unsafe check(uc_mem_write(engine, 0, image, image.count))
        func set(_ register: uc_x86_reg, _ value: UInt64) {
            var value = value
            unsafe check(uc_reg_write(engine, Int32(register.rawValue), &value))
        }
        // 64-bit mode is there, with CR0 and CR4 set by instructions, so that Unicorn's own state follows.
        set(UC_X86_REG_CR3, UInt64(Program.pageTables))
        let control: [UInt8] = [
            0xB8, 0x20, 0, 0, 0, 0x0F, 0x22, 0xE0,  // mov eax, 20h; mov cr4, rax
            0xB8, 0x11, 0, 0, 0x80, 0x0F, 0x22, 0xC0,  // mov eax, 80000011h; mov cr0, rax
        ]
        unsafe check(uc_mem_write(engine, 0x8000, control, control.count))
        unsafe check(uc_emu_start(engine, 0x8000, 0x8000 + UInt64(control.count), 0, 0))
        set(UC_X86_REG_RAX, 0)
        set(UC_X86_REG_RDI, program.slowRounds)
        // HLT ends it.
        let start = processorTime()
        unsafe check(uc_emu_start(engine, UInt64(Program.loadAddress), .max, 0, 0))
        let time = processorTime() - start
        var left: UInt64 = 0
        unsafe check(
            uc_reg_read(engine, Int32((program.file == "copy" ? UC_X86_REG_RBX : UC_X86_REG_RDI).rawValue), &left))
        guard left == 0 else { fail("\(program.title): Unicorn stopped \(left) rounds before the end") }
        return time
    }

    private func check(_ error: uc_err) {
        if error != UC_ERR_OK { fail("Unicorn: error \(error.rawValue)") }
    }
#endif
