// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86
import X86Differential

/// SYSENTER and SYSEXIT (SDM vol. 2).
@Suite struct FastSystemCallTests {
    private func prepare(_ processor: inout Processor) {
        processor.msrs.sysenterCS = 8
        processor.msrs.sysenterESP = 0xB000
        processor.msrs.sysenterEIP = 0x2000
    }

    @Test func thereAndBackIn32Bits() {
        var guest = ProtectedGuest([0x0F, 0x34])
        prepare(&guest.processor)
        guest.setPrivilege(3)
        guest.processor.flags |= Flag.interrupt
        guest.memory.write([0x0F, 0x35], at: 0x2000)
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.privilege == 0)
        #expect(guest.processor.rip == 0x2000)
        #expect(guest.processor.registers[Register.rsp] == 0xB000)
        #expect(guest.processor.flags & Flag.interrupt == 0)
        #expect(guest.processor.segments[SegmentRegister.cs] == Segment(selector: 8, limit: .max, access: 0xC09B))
        #expect(guest.processor.segments[SegmentRegister.ss] == Segment(selector: 0x10, limit: .max, access: 0xC093))
        guest.processor.registers[Register.rcx] = 0x5000
        guest.processor.registers[Register.rdx] = 0x1002
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.privilege == 3)
        #expect(guest.processor.rip == 0x1002)
        #expect(guest.processor.registers[Register.rsp] == 0x5000)
        #expect(guest.processor.segments[SegmentRegister.cs] == Segment(selector: 0x1B, limit: .max, access: 0xC0FB))
        #expect(guest.processor.segments[SegmentRegister.ss] == Segment(selector: 0x23, limit: .max, access: 0xC0F3))
    }

    @Test func longModeGoesTo64BitCode() {
        var guest = LongModeGuest([0x0F, 0x34])
        prepare(&guest.processor)
        guest.processor.msrs.sysenterESP = 0xFFFF_8000_0000_B000
        guest.setPrivilege(3)
        guest.memory.write([0x48, 0x0F, 0x35, 0x0F, 0x35], at: 0x2000)  // sysexitq; sysexit
        guest.processor.interceptedExceptions = .max
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.is64Bit == true)
        #expect(guest.processor.registers[Register.rsp] == 0xFFFF_8000_0000_B000)
        guest.processor.registers[Register.rcx] = 0x7FFF_0000_1000
        guest.processor.registers[Register.rdx] = 0x1002
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.is64Bit == true)
        #expect(guest.processor.segments[SegmentRegister.cs].selector == 0x2B)
        #expect(guest.processor.segments[SegmentRegister.ss].selector == 0x33)
        #expect(guest.processor.registers[Register.rsp] == 0x7FFF_0000_1000)
        // Without REX.W, to compatibility mode.
        guest.setPrivilege(0)
        guest.processor.rip = 0x2003
        guest.processor.registers[Register.rcx] = 0xFFFF_FFFF_0000_5000
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.is64Bit == false)
        #expect(guest.processor.segments[SegmentRegister.cs].selector == 0x1B)
        #expect(guest.processor.registers[Register.rsp] == 0x5000)
    }

    @Test func refusals() {
        var noSelector = ProtectedGuest([0x0F, 0x34])
        #expect(noSelector.stepWatched() == .exception(.general()))
        var realMode = Guest(.bits16, [0x0F, 0x34])
        realMode.processor.msrs.sysenterCS = 8
        #expect(realMode.execute() == .exception(.general()))
        var user = ProtectedGuest([0x0F, 0x35])
        prepare(&user.processor)
        user.setPrivilege(3)
        #expect(user.stepWatched() == .exception(.general()))
        var notCanonical = LongModeGuest([0x48, 0x0F, 0x35])
        prepare(&notCanonical.processor)
        notCanonical.processor.interceptedExceptions = .max
        notCanonical.processor.registers[Register.rdx] = 1 << 47
        #expect(notCanonical.processor.step() == .exception(.general()))
        #expect(notCanonical.processor.privilege == 0)
    }
}
