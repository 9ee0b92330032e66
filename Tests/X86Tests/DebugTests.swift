// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86

/// Debug registers, single-step and RF (SDM vol. 3, ch. 17).
@Suite struct DebugTests {
    static let debug = Outcome.exception(ProcessorException(vector: ProcessorException.debug))

    private func guest(_ code: [UInt8]) -> LongModeGuest {
        var guest = LongModeGuest(code)
        guest.processor.interceptedExceptions = 1 << 1
        return guest
    }

    @Test func theHandlerFindsTheCauseInDR6() {
        var guest = LongModeGuest([0x90])
        guest.processor.flags |= Flag.trap
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.rip == UInt64(LongModeGuest.handlers + 16))
        #expect(guest.processor.debugRegisters[6] == 0xFFFF_4FF0)
        // A trap's image has no RF, and the handler no TF.
        #expect(guest.stack(16) & (Flag.resume | Flag.trap) == Flag.trap)
        #expect(guest.processor.flags & Flag.trap == 0)
    }

    @Test func breakpointsDoNotSetRF() {
        var guest = LongModeGuest([0x90])
        guest.processor.debugRegisters[2] = 0x1000
        guest.processor.debugRegisters[7] |= 0x10
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.debugRegisters[6] & 0xF == 4)
        #expect(guest.stack(16) & Flag.resume == 0)
        #expect(guest.stack(0) == 0x1000)
    }

    @Test func RFHidesABreakpointOnce() {
        var guest = guest([0x90, 0xEB, 0xFD])  // nop; jmp to it
        guest.processor.debugRegisters[0] = 0x1000
        guest.processor.debugRegisters[7] |= 1
        guest.processor.flags |= Flag.resume
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.flags & Flag.resume == 0)
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.step() == Self.debug)
        #expect(guest.processor.rip == 0x1000)
    }

    @Test func faultsSetRFWhenTheyAreDelivered() {
        var guest = LongModeGuest([0x0F, 0x0B])
        #expect(guest.processor.step() == .retired)
        #expect(guest.stack(16) & Flag.resume != 0)
        #expect(guest.processor.flags & Flag.resume == 0)
        // Not for an event that an embedder injects, whose RFLAGS it has prepared.
        var injected = LongModeGuest([0x90])
        #expect(injected.processor.deliver(Delivery(vector: 6, kind: .exception)) == .retired)
        #expect(injected.stack(16) & Flag.resume == 0)
    }

    @Test func TFSetByPOPFTrapsAfterTheNextInstruction() {
        var guest = guest([0x9D, 0x90, 0x90])
        guest.memory[0x5000, 8] = Flag.trap | Flag.fixed
        #expect(guest.processor.run(limit: 2) == .retired)
        #expect(guest.processor.step() == Self.debug)
        #expect(guest.processor.rip == 0x1002)
        #expect(guest.processor.debugFault == 1 << 14)
    }

    @Test func movToSSHoldsTheTrapOff() {
        var guest = guest([0x8E, 0xD0, 0x90, 0x90])
        guest.processor.registers[Register.rax] = 0x10
        guest.processor.flags |= Flag.trap
        #expect(guest.processor.run(limit: 2) == .retired)
        #expect(guest.processor.step() == Self.debug)
        #expect(guest.processor.rip == 0x1003)
    }

    @Test func eachRepetitionTraps() {
        var guest = guest([0xF3, 0xAA])  // rep stosb
        guest.processor.registers[Register.rcx] = 3
        guest.processor.registers[Register.rdi] = 0x40000
        guest.processor.flags |= Flag.trap
        for left in [2, 1] as [UInt64] {
            #expect(guest.processor.step() == .retired)
            #expect(guest.processor.step() == Self.debug)
            #expect(guest.processor.rip == 0x1000)
            #expect(guest.processor.registers[Register.rcx] == left)
            guest.processor.flags |= Flag.trap
        }
    }

    @Test func portBreakpointsNeedDE() {
        for isEnabled in [false, true] {
            var guest = guest([0xE4, 0x42, 0x90])
            if isEnabled { guest.processor.cr4 |= CR4.debuggingExtensions }
            guest.processor.debugRegisters[3] = 0x42
            guest.processor.debugRegisters[7] |= 0x40 | 2 << 28
            #expect(guest.processor.step() == .retired)
            #expect(guest.processor.step() == (isEnabled ? Self.debug : .retired))
            if isEnabled { #expect(guest.processor.debugFault == 8) }
        }
    }

    /// Found by test_misc/fuzz/interpreter: the end of such a range was added up, which ended the process.
    @Test func breakpointsAtTheEndOfTheAddressSpace() {
        for (code, kind) in [([0x88, 0x07], 1), ([0xE4, 0x42], 2)] as [([UInt8], UInt64)] {
            var guest = guest(code + [0x90])
            guest.processor.cr4 |= CR4.debuggingExtensions
            guest.processor.registers[Register.rdi] = 0x4000
            guest.processor.debugRegisters[3] = .max
            guest.processor.debugRegisters[7] |= 0x40 | kind << 28 | 2 << 30
            #expect(guest.processor.step() == .retired)
            #expect(guest.processor.step() == .retired)
        }
    }

    @Test func generalDetect() {
        var guest = LongModeGuest([0x0F, 0x21, 0xC0])  // mov rax, dr0
        guest.processor.debugRegisters[7] |= 1 << 13
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.rip == UInt64(LongModeGuest.handlers + 16))
        #expect(guest.processor.debugRegisters[6] & 1 << 13 != 0)
        // The handler may use the registers; the access is a fault.
        #expect(guest.processor.debugRegisters[7] & 1 << 13 == 0)
        #expect(guest.stack(0) == 0x1000)
        #expect(guest.stack(16) & Flag.resume != 0)
    }

    @Test func registers4And5() {
        var alias = guest([0x0F, 0x21, 0xE0, 0x0F, 0x21, 0xE8])  // mov rax, dr4; mov rax, dr5
        #expect(alias.processor.step() == .retired)
        #expect(alias.processor.registers[Register.rax] == 0xFFFF_0FF0)
        #expect(alias.processor.step() == .retired)
        #expect(alias.processor.registers[Register.rax] == 0x400)
        var undefined = LongModeGuest([0x0F, 0x21, 0xE0])
        undefined.processor.cr4 |= CR4.debuggingExtensions
        undefined.processor.interceptedExceptions = .max
        #expect(undefined.processor.step() == .exception(.undefinedInstruction))
    }

    @Test func reservedBitsOfDR6AndDR7() {
        var guest = guest([0x0F, 0x23, 0xF0, 0x0F, 0x23, 0xF8, 0x0F, 0x23, 0xF9])  // mov dr6, rax; mov dr7, rax; mov dr7, rcx
        guest.processor.interceptedExceptions = .max
        guest.processor.registers[Register.rax] = 0xFFFF_FFFF & ~(1 << 13)
        guest.processor.registers[Register.rcx] = 1 << 32
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.debugRegisters[6] == 0xFFFF_CFFF)
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.debugRegisters[7] == 0xFFFF_07FF)
        guest.processor.debugRegisters[7] = 0x400
        #expect(guest.processor.step() == .exception(.general()))
    }

    @Test func INT1IsTellingNothingInDR6() {
        var guest = LongModeGuest([0xF1])
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.rip == UInt64(LongModeGuest.handlers + 16))
        #expect(guest.stack(0) == 0x1001)
        #expect(guest.processor.debugRegisters[6] == 0xFFFF_0FF0)
    }
}
