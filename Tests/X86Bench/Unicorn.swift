// SPDX-License-Identifier: MIT OR GPL-2.0-only
#if canImport(CUnicorn)
import CUnicorn

/// The same workloads on Unicorn.
func runUnicorn() {
    for workload in workloads {
        var engine: OpaquePointer?
        unsafe precondition(uc_open(UC_ARCH_X86, UC_MODE_64, &engine) == UC_ERR_OK)
        unsafe uc_mem_map(engine, 0, 1 << 20, UInt32(UC_PROT_ALL.rawValue))
        _ = unsafe workload.code.withUnsafeBytes { unsafe uc_mem_write(engine, 0x1000, $0.baseAddress, $0.count) }
        var source: UInt64 = 0x2000
        unsafe uc_reg_write(engine, Int32(UC_X86_REG_RSI.rawValue), &source)
        var error = UC_ERR_OK
        let end = UInt64(0x1000 + workload.code.count - 1)
        let start = processorTime()
        error = unsafe uc_emu_start(engine, 0x1000, end, 0, 0)
        let time = processorTime() - start
        precondition(error == UC_ERR_OK, "Unicorn ended the \(workload.name) with error \(error.rawValue)")
        report("Unicorn", workload, time)
        unsafe uc_close(engine)
    }
}
#endif
