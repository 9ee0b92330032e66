// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// 64-bit mode with 4-level page tables, a GDT, an IDT and a TSS, as a kernel has them.
///
/// The first 2 MiB are mapped by 4 KiB pages, linear equal to physical; the tables are at 0x10000 to 0x13FFF.
struct LongModeGuest: ~Copyable {
    static let leafTable = 0x13000
    static let gdt = 0x8000
    static let idt = 0x9000
    static let tss = 0xA000
    static let kernelStack = 0xC000
    static let handlers = 0x6000

    let memory = FlatMemory(size: 2 << 20)
    var processor: Processor

    init(_ code: [UInt8]) {
        for (level, table) in [0x10000, 0x11000, 0x12000].enumerated() {
            memory[table, 8] = UInt64([0x11000, 0x12000, 0x13000][level] | 7)
        }
        for page in 0..<512 { memory[Self.leafTable + 8 * page, 8] = UInt64(page << 12 | 7) }
        let descriptors: [UInt64] = [
            0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF,
            0x0000_8B00_A000_0067, 0,
        ]
        for (index, value) in descriptors.enumerated() { memory[Self.gdt + 8 * index, 8] = value }
        for vector in 0..<64 {
            let handler = UInt64(Self.handlers + 16 * vector)
            memory[Self.idt + 16 * vector, 8] = handler & 0xFFFF | 8 << 16 | 0xEE00 << 32 | (handler >> 16) << 48
            memory[Self.handlers + 16 * vector, 1] = 0xF4
        }
        memory[Self.tss + 4, 8] = UInt64(Self.kernelStack)
        memory[Self.tss + 0x24, 8] = 0xE000
        memory.write(code, at: 0x1000)

        processor = Processor(bus: memory)
        processor.efer = EFER.longModeEnable | EFER.longModeActive | EFER.noExecute | EFER.syscall
        processor.cr0 = CR0.protection | CR0.paging | CR0.extensionType | CR0.writeProtect
        processor.cr4 = CR4.physicalAddressExtension | CR4.fxsave
        processor.cr3 = 0x10000
        processor.gdtr = DescriptorTable(base: UInt64(Self.gdt), limit: 55)
        processor.idtr = DescriptorTable(base: UInt64(Self.idt), limit: 1023)
        processor.tr = Segment(selector: 0x28, base: UInt64(Self.tss), limit: 0x67, access: 0x8B)
        setPrivilege(0)
        processor.flags = Flag.fixed | Flag.interrupt
        processor.rip = 0x1000
        processor.registers[Register.rsp] = 0x5000
    }

    mutating func setPrivilege(_ level: UInt8) {
        let bits = UInt32(level) << 5
        processor.privilege = level
        processor.segments[SegmentRegister.cs] = Segment(
            selector: level == 0 ? 8 : 0x23, limit: .max, access: 0xA09B | bits)
        processor.segments[SegmentRegister.ss] = Segment(
            selector: level == 0 ? 0x10 : 0x1B, limit: .max, access: 0xC093 | bits)
    }

    /// Changes one page's entry: bits set, then bits cleared.
    func page(_ linear: Int, set: UInt64 = 0, clear: UInt64 = 0) {
        let entry = Self.leafTable + 8 * (linear >> 12)
        memory[entry, 8] = (memory[entry, 8] | set) & ~clear
    }

    /// The eight bytes at a distance from the stack pointer.
    func stack(_ distance: Int) -> UInt64 { memory[Int(processor.registers[Register.rsp]) + distance, 8] }
}
