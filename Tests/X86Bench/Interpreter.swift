// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// Seconds of processor time that the interpreter takes for a program.
func interpreterTime(_ program: Program, _ folder: String) -> Double {
    let memory = FlatMemory(size: Program.memorySize)
    memory.write(program.image(folder), at: 0)
    var processor = Processor(bus: memory)
    processor.efer = EFER.longModeEnable | EFER.longModeActive
    processor.cr4 = CR4.physicalAddressExtension
    processor.cr3 = UInt64(Program.pageTables)
    processor.cr0 = CR0.protection | CR0.extensionType | CR0.paging
    processor.segments[SegmentRegister.cs] = Segment(selector: 8, limit: .max, access: 0xA09B)
    processor.segments[SegmentRegister.ss] = Segment(selector: 16, limit: .max, access: 0xC093)
    processor.registers[Register.rdi] = program.rounds
    processor.rip = UInt64(Program.loadAddress)
    let start = processorTime()
    let outcome = processor.run(limit: .max)
    let time = processorTime() - start
    guard outcome == .halted else { fail("\(program.title): ended with \(outcome) at \(processor.rip)") }
    // REP counts once in `retired`.
    let counted = program.file == "copy" ? program.rounds * 6 : program.round * program.rounds
    guard processor.retired >= counted && processor.retired < counted + 1000 else {
        fail("\(program.title): \(processor.retired) instructions rather than \(counted) and some")
    }
    return time
}
