// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86

/// Virtual-8086 mode (SDM vol. 3, ch. 21).
@Suite struct Virtual8086Tests {
    @Test(
        arguments: [
            [0xCD, 0x21], [0xCF], [0xFA], [0xFB], [0x9C], [0x9D],  // int 0x21, iret, cli, sti, pushf, popf
        ] as [[UInt8]])
    func sensitiveInstructionsNeedIOPrivilege(_ code: [UInt8]) {
        var guest = ProtectedGuest(code)
        guest.enterVirtual8086(ioPrivilege: 2)
        #expect(guest.stepWatched() == .exception(.general()))
        guest = ProtectedGuest(code)
        guest.enterVirtual8086(ioPrivilege: 3)
        #expect(guest.stepWatched() == .retired)
    }

    @Test func interruptsGoToRing0WithAllSegments() {
        var guest = ProtectedGuest([0xCD, 0x21])
        guest.enterVirtual8086(ioPrivilege: 3)
        guest.memory.write([0xCF], at: ProtectedGuest.handlers + 16 * 0x21)  // iretd
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.privilege == 0)
        #expect(guest.processor.flags & (Flag.virtual8086 | Flag.interrupt) == 0)
        #expect(guest.processor.rip == UInt64(ProtectedGuest.handlers + 16 * 0x21))
        #expect(guest.processor.registers[Register.rsp] == UInt64(ProtectedGuest.kernelStack - 36))
        let expected: [UInt64] = [2, 0x100, 0x2_3202, 0x800, 0x500, 0x200, 0x300, 0x400, 0x600]
        for (index, value) in expected.enumerated() { #expect(guest.stack(4 * index) == value, "at \(4 * index)") }
        for number in [SegmentRegister.es, SegmentRegister.ds, SegmentRegister.fs, SegmentRegister.gs] {
            #expect(guest.processor.segments[number].isUnusable)
        }
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.privilege == 3)
        #expect(guest.processor.flags & Flag.virtual8086 != 0)
        #expect(guest.processor.rip == 2)
        #expect(guest.processor.registers[Register.rsp] == 0x800)
        let selectors = [0x200, 0x100, 0x500, 0x300, 0x400, 0x600]
        for (number, selector) in selectors.enumerated() {
            let segment = guest.processor.segments[number]
            #expect(
                segment
                    == Segment(
                        selector: UInt16(selector), base: UInt64(selector) << 4, limit: 0xFFFF, access: 0xF3))
        }
    }

    @Test func theHandlersCodeMustBeOfRing0() {
        var guest = ProtectedGuest([0xCD, 0x21])
        guest.enterVirtual8086(ioPrivilege: 3)
        // A conforming segment wouldn't leave ring 3.
        guest.memory[ProtectedGuest.gdt + ProtectedGuest.spare, 8] = 0x00CF_9F00_0000_FFFF
        guest.memory[ProtectedGuest.idt + 8 * 0x21 + 2, 2] = UInt64(ProtectedGuest.spare)
        #expect(guest.stepWatched() == .exception(.general(UInt32(ProtectedGuest.spare))))
    }

    @Test func breakpointsDoNotNeedIOPrivilege() {
        var guest = ProtectedGuest([0xCC])
        guest.enterVirtual8086(ioPrivilege: 0)
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.rip == UInt64(ProtectedGuest.handlers + 16 * 3))
        #expect(guest.processor.privilege == 0)
    }

    @Test func returningWithinTheModeKeepsIOPrivilege() {
        var guest = ProtectedGuest([0xCF])
        guest.enterVirtual8086(ioPrivilege: 3)
        guest.memory[0x5800, 2] = 0x0010
        guest.memory[0x5802, 2] = 0x0123
        guest.memory[0x5804, 2] = 0x0001
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.rip == 0x10)
        #expect(guest.processor.segments[SegmentRegister.cs].base == 0x1230)
        #expect(guest.processor.registers[Register.rsp] == 0x806)
        #expect(guest.processor.flags == Flag.fixed | Flag.carry | Flag.virtual8086 | 3 << 12)
    }

    @Test func returningToTheModeChecksTheOffset() {
        // iretd in ring 0, to an offset beyond 64 KiB.
        var guest = ProtectedGuest([0xCF])
        let frame: [UInt64] = [0x1_0000, 0x100, 0x2_0002, 0x800, 0x500, 0, 0, 0, 0]
        for (index, value) in frame.enumerated() { guest.memory[ProtectedGuest.stack + 4 * index, 4] = value }
        #expect(guest.stepWatched() == .exception(.general()))
        #expect(guest.processor.privilege == 0)
        #expect(guest.processor.registers[Register.rsp] == UInt64(ProtectedGuest.stack))
    }

    @Test func descriptorInstructionsAreUndefined() {
        for code in [[0x0F, 0x02, 0xC0], [0x0F, 0x00, 0xD8], [0x63, 0xC0]] as [[UInt8]] {  // lar, ltr, arpl
            var guest = ProtectedGuest(code)
            guest.enterVirtual8086(ioPrivilege: 3)
            #expect(guest.stepWatched() == .exception(.undefinedInstruction))
        }
    }

    @Test func portsFollowTheBitmapWhateverTheIOPrivilege() {
        var guest = ProtectedGuest([0xE4, 0x61, 0xE4, 0x60])  // in al, 0x61; in al, 0x60
        guest.enterVirtual8086(ioPrivilege: 3)
        guest.processor.tr.limit = 0x200
        guest.memory[ProtectedGuest.tss + 0x66, 2] = 0x80
        guest.memory[ProtectedGuest.tss + 0x80 + 0xC, 1] = 1
        #expect(guest.stepWatched() == .retired)
        #expect(guest.stepWatched() == .exception(.general()))
    }

    @Test func segmentsAreLoadedAsInRealMode() {
        var guest = ProtectedGuest([0x8E, 0xD8, 0xA1, 0x10, 0])  // mov ds, ax; mov ax, [0x10]
        guest.enterVirtual8086(ioPrivilege: 0)
        guest.processor.registers[Register.rax] = 0x1234
        guest.memory[0x12350, 2] = 0xBEEF
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.segments[SegmentRegister.ds].base == 0x12340)
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.registers[Register.rax] & 0xFFFF == 0xBEEF)
    }
}
