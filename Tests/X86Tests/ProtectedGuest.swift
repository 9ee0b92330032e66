// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// 32-bit protected mode with a GDT, an IDT and a TSS, and no paging.
struct ProtectedGuest: ~Copyable {
    static let gdt = 0x8000
    static let idt = 0x9000
    static let tss = 0xA000
    static let kernelStack = 0xC000
    static let handlers = 0x6000
    static let code = 0x1000
    static let stack = 0x5000

    // Selectors, laid out as SYSENTER and SYSEXIT want them.
    static let kernelCode = 0x08
    static let kernelData = 0x10
    static let userCode = 0x1B
    static let userData = 0x23
    static let taskState = 0x28
    /// For a test's own descriptor.
    static let spare = 0x30

    let memory = FlatMemory(size: 8 << 20)
    var processor: Processor

    init(_ code: [UInt8]) {
        let descriptors: [UInt64] = [
            0, 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_FB00_0000_FFFF, 0x00CF_F300_0000_FFFF,
            0x0000_8B00_A000_0067, 0,
        ]
        for (index, value) in descriptors.enumerated() { memory[Self.gdt + 8 * index, 8] = value }
        for vector in 0..<64 {
            let handler = UInt64(Self.handlers + 16 * vector)
            memory[Self.idt + 8 * vector, 8] = handler | UInt64(Self.kernelCode) << 16 | 0xEE00 << 32
            memory[Self.handlers + 16 * vector, 1] = 0xF4
        }
        memory[Self.tss + 4, 4] = UInt64(Self.kernelStack)
        memory[Self.tss + 8, 2] = UInt64(Self.kernelData)
        memory.write(code, at: Self.code)

        processor = Processor(bus: memory)
        processor.cr0 = CR0.protection | CR0.extensionType
        processor.cr4 = CR4.fxsave | CR4.simdExceptions
        processor.gdtr = DescriptorTable(base: UInt64(Self.gdt), limit: 55)
        processor.idtr = DescriptorTable(base: UInt64(Self.idt), limit: 511)
        processor.tr = Segment(selector: UInt16(Self.taskState), base: UInt64(Self.tss), limit: 0x67, access: 0x8B)
        setPrivilege(0)
        processor.rip = UInt64(Self.code)
        processor.registers[Register.rsp] = UInt64(Self.stack)
    }

    mutating func setPrivilege(_ level: UInt8) {
        let bits = UInt32(level) << 5
        let data = Segment(
            selector: UInt16(level == 0 ? Self.kernelData : Self.userData), limit: .max, access: 0xC093 | bits)
        processor.privilege = level
        for number in [
            SegmentRegister.es, SegmentRegister.ss, SegmentRegister.ds, SegmentRegister.fs, SegmentRegister.gs,
        ] {
            processor.segments[number] = data
        }
        processor.segments[SegmentRegister.cs] = Segment(
            selector: UInt16(level == 0 ? Self.kernelCode : Self.userCode), limit: .max, access: 0xC09B | bits)
        processor.refreshMode()
    }

    /// Virtual-8086 mode at 0x0100:0x0000, which is linear 0x1000, with the stack at 0x0500:0x0800.
    mutating func enterVirtual8086(ioPrivilege: UInt64) {
        processor.flags = Flag.fixed | Flag.virtual8086 | Flag.interrupt | ioPrivilege << 12
        processor.privilege = 3
        let selectors = [0x200, 0x100, 0x500, 0x300, 0x400, 0x600]
        for (number, selector) in selectors.enumerated() {
            processor.segments[number] = Segment(
                selector: UInt16(selector), base: UInt64(selector) << 4, limit: 0xFFFF, access: 0xF3)
        }
        processor.rip = 0
        processor.registers[Register.rsp] = 0x800
        processor.refreshMode()
    }

    /// A call gate to `offset` in the spare descriptor.
    func setCallGate(
        to offset: Int, code: Int = ProtectedGuest.kernelCode, level: UInt64 = 3, parameters: UInt64 = 0,
        present: Bool = true
    ) {
        let access: UInt64 = 0x0C | level << 5 | (present ? 0x80 : 0)
        memory[Self.gdt + Self.spare, 8] =
            UInt64(offset & 0xFFFF) | UInt64(code) << 16 | parameters << 32 | access << 40 | UInt64(offset >> 16) << 48
    }

    /// The four bytes at a distance from the stack pointer, in a flat stack segment.
    func stack(_ distance: Int) -> UInt64 { memory[Int(processor.registers[Register.rsp]) + distance, 4] }

    /// Steps once with all exceptions shown.
    mutating func stepWatched() -> Outcome {
        processor.interceptedExceptions = .max
        return processor.step()
    }
}
