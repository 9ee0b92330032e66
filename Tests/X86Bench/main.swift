// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Instructions a second of the interpreter, on an integer loop and on a memory copy; beside Unicorn where it is installed.
import Glibc
import X86

struct Workload {
    var name: String
    var code: [UInt8]
    /// Instructions, REP iterations counted singly.
    var count: UInt64
}

let loops: UInt32 = 10_000_000
let loopBytes = (0..<4).map { UInt8(truncatingIfNeeded: loops >> (8 * UInt32($0))) }
let workloads = [
    // mov ecx, loops; again: add rax, rcx; xor rdx, rax; lea rbx, [rax+rdx*2+5]; mov [rsi], rbx; add rax, [rsi];
    // shl rdx, 3; dec ecx; jnz again; hlt
    Workload(
        name: "integer loop",
        code: [0xB9] + loopBytes + [
            0x48, 0x01, 0xC8, 0x48, 0x31, 0xC2, 0x48, 0x8D, 0x5C, 0x50, 0x05, 0x48, 0x89, 0x1E, 0x48, 0x03, 0x06, 0x48,
            0xC1, 0xE2, 0x03, 0xFF, 0xC9, 0x75, 0xE7, 0xF4,
        ],
        count: UInt64(loops) * 8 + 2),
    // mov ecx, loops/100; again: mov r8d, ecx; mov ecx, 512; mov rsi, 0x20000; mov rdi, 0x30000; rep movsq; mov ecx, r8d;
    // dec ecx; jnz again; hlt
    Workload(
        name: "memory copy",
        code: [0xB9] + (0..<4).map { UInt8(truncatingIfNeeded: (loops / 100) >> (8 * UInt32($0))) } + [
            0x41, 0x89, 0xC8, 0xB9, 0, 2, 0, 0, 0xBE, 0, 0, 2, 0, 0xBF, 0, 0, 3, 0, 0xF3, 0x48, 0xA5, 0x44, 0x89, 0xC1,
            0xFF, 0xC9, 0x75, 0xE4, 0xF4,
        ],
        count: UInt64(loops / 100) * (7 + 512) + 2),
]

/// Processor time of this process in seconds: other programs' work doesn't count.
func processorTime() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

func report(_ engine: String, _ workload: Workload, _ seconds: Double) {
    let rate = Double(workload.count) / seconds / 1e6
    print("\(workload.name), \(engine): \(Int(rate.rounded())) million instructions a second")
}

for workload in workloads {
    let memory = FlatMemory(size: 1 << 20)
    memory.write(workload.code, at: 0x1000)
    var processor = Processor(bus: memory)
    processor.efer = EFER.longModeEnable | EFER.longModeActive
    processor.cr0 = CR0.protection | CR0.extensionType
    processor.segments[SegmentRegister.cs] = Segment(limit: .max, access: 0xA09B)
    processor.registers[Register.rsi] = 0x2000
    processor.rip = 0x1000
    var outcome = Outcome.retired
    let start = processorTime()
    outcome = processor.run(limit: .max)
    let time = processorTime() - start
    precondition(outcome == .halted, "the \(workload.name) ended with \(outcome) at \(processor.rip)")
    report("X86", workload, time)
}

#if canImport(CUnicorn)
runUnicorn()
#endif
