// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86

@Suite struct EventTests {
    @Test func anInterruptFromUserCodeSwitchesStacks() {
        var guest = LongModeGuest([0x90])
        guest.setPrivilege(3)
        #expect(guest.processor.deliver(Delivery(vector: 0x21, kind: .externalInterrupt)) == .retired)
        #expect(guest.processor.privilege == 0)
        #expect(guest.processor.rip == UInt64(LongModeGuest.handlers + 16 * 0x21))
        #expect(guest.processor.registers[Register.rsp] == UInt64(LongModeGuest.kernelStack - 40))
        #expect(guest.stack(0) == 0x1000)
        #expect(guest.stack(8) == 0x23)
        #expect(guest.stack(16) & Flag.interrupt != 0)
        #expect(guest.stack(24) == 0x5000)
        #expect(guest.stack(32) == 0x1B)
        #expect(guest.processor.flags & Flag.interrupt == 0)
    }

    @Test func interruptAndReturn() {
        var guest = LongModeGuest([0xCD, 0x20, 0x90])  // int 0x20
        guest.memory.write([0x48, 0xCF], at: LongModeGuest.handlers + 16 * 0x20)  // iretq
        guest.setPrivilege(3)
        #expect(guest.processor.run(limit: 2) == .retired)
        #expect(guest.processor.privilege == 3)
        #expect(guest.processor.rip == 0x1002)
        #expect(guest.processor.registers[Register.rsp] == 0x5000)
    }

    @Test func interruptStackTable() {
        var guest = LongModeGuest([0x0F, 0x0B])  // ud2
        guest.memory[LongModeGuest.idt + 16 * 6 + 4, 1] = 1
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.registers[Register.rsp] == 0xE000 - 40)
        // The image of a fault has RF.
        #expect(guest.stack(16) & Flag.resume != 0)
    }

    @Test func faultsOnFaults() {
        // The #GP handler's gate is absent: #NP follows #GP, a double fault.
        var guest = LongModeGuest([0x0F, 0x01, 0x17])  // lgdt [rdi], as user: #GP
        guest.setPrivilege(3)
        guest.memory[LongModeGuest.idt + 16 * 13 + 5, 1] = 0x6E
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.rip == UInt64(LongModeGuest.handlers + 16 * 8))
        #expect(guest.stack(0) == 0)
        // And without a gate for #DF, a triple fault.
        var stopped = LongModeGuest([0x0F, 0x01, 0x17])
        stopped.setPrivilege(3)
        stopped.processor.idtr.limit = 8
        #expect(stopped.processor.step() == .tripleFault)
    }

    @Test func pageFaultsSetCR2() {
        var guest = LongModeGuest([0x48, 0x8B, 0x07])
        guest.page(0x40000, clear: 1)
        guest.processor.registers[Register.rdi] = 0x40123
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.cr2 == 0x40123)
        #expect(guest.processor.rip == UInt64(LongModeGuest.handlers + 16 * 14))
        #expect(guest.stack(0) == 0)
        #expect(guest.stack(8) == 0x1000)
    }

    @Test func aPageFaultOnAPageFaultLeavesItsAddress() {
        // The kernel's stack isn't mapped: #DF by its IST stack.
        var guest = LongModeGuest([0x48, 0x8B, 0x07])
        guest.page(0x40000, clear: 1)
        guest.page(0x50000, clear: 1)
        guest.memory[LongModeGuest.idt + 16 * 8 + 4, 1] = 1
        guest.processor.registers[Register.rdi] = 0x40123
        guest.processor.registers[Register.rsp] = 0x50100
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.rip == UInt64(LongModeGuest.handlers + 16 * 8))
        #expect(guest.processor.cr2 == 0x500F8)
    }

    @Test func whatWasBeingDeliveredIsForgotten() {
        // A triple fault, then on the same processor an access that is refused: nothing is being delivered then.
        let memory = RefusingMemory(size: 1 << 16)
        memory.ram.write([0x0F, 0x0B, 0xA0, 0, 0], at: 0x1000)  // ud2; mov al, [0]
        var processor = Processor(bus: memory)
        processor.segments[SegmentRegister.cs] = Segment(access: 0x9B)
        processor.segments[SegmentRegister.ds] = Segment(selector: 0x1000, base: 0x10000)
        processor.idtr.limit = 0
        processor.rip = 0x1000
        #expect(processor.step() == .tripleFault)
        #expect(processor.delivering != nil)
        processor.rip = 0x1002
        #expect(processor.step() == .refused)
        #expect(processor.delivering == nil)
    }

    @Test func pushedSelectorsAreTwoBytes() {
        var guest = LongModeGuest([0x0F, 0xA0])  // push fs
        guest.memory[0x4FF8, 8] = .max
        guest.processor.segments[SegmentRegister.fs].selector = 0x1234
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.registers[Register.rsp] == 0x4FF8)
        #expect(guest.stack(0) == 0xFFFF_FFFF_FFFF_1234)
    }

    @Test func accessRightsHaveTheLimitsUpperBits() {
        var guest = LongModeGuest([0x0F, 0x02, 0xC3])  // lar eax, ebx
        guest.processor.registers[Register.rbx] = 0x10
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.registers[Register.rax] == 0x00CF_9300)
        #expect(guest.processor.flags & Flag.zero != 0)
    }

    @Test func singleStepTrapsAfterTheInstruction() {
        var guest = LongModeGuest([0x90, 0x90])
        guest.processor.flags |= Flag.trap
        guest.processor.interceptedExceptions = 2
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.step() == .exception(ProcessorException(vector: 1)))
        #expect(guest.processor.rip == 0x1001)
        #expect(guest.processor.debugFault == 1 << 14)
    }

    @Test func breakpointsInDebugRegisters() {
        var code = LongModeGuest([0x90, 0x90])
        code.processor.interceptedExceptions = 2
        code.processor.debugRegisters[0] = 0x1001
        code.processor.debugRegisters[7] |= 1
        #expect(code.processor.step() == .retired)
        #expect(code.processor.step() == .exception(ProcessorException(vector: 1)))
        #expect(code.processor.rip == 0x1001)
        var data = LongModeGuest([0x48, 0x89, 0x07, 0x90])
        data.processor.interceptedExceptions = 2
        data.processor.registers[Register.rdi] = 0x40004
        data.processor.debugRegisters[1] = 0x40008
        data.processor.debugRegisters[7] |= 4 | 1 << 20 | 3 << 22
        #expect(data.processor.step() == .retired)
        #expect(data.processor.step() == .exception(ProcessorException(vector: 1)))
        #expect(data.processor.debugFault == 2)
        #expect(data.processor.rip == 0x1003)
    }

    @Test func interruptShadows() {
        var guest = LongModeGuest([0xFB, 0x90, 0x8E, 0xD0, 0x90])  // sti; nop; mov ss, ax; nop
        guest.processor.flags &= ~Flag.interrupt
        guest.processor.registers[Register.rax] = 0x10
        _ = guest.processor.step()
        #expect(guest.processor.acceptsInterrupts == false)
        _ = guest.processor.step()
        #expect(guest.processor.acceptsInterrupts == true)
        _ = guest.processor.step()
        #expect(guest.processor.interruptShadow == .stackSegment)
        #expect(guest.processor.acceptsNMI == false)
        _ = guest.processor.step()
        #expect(guest.processor.acceptsNMI == true)
    }

    @Test func nonMaskableInterruptsBlockUntilIRET() {
        var guest = LongModeGuest([0x90])
        guest.memory.write([0x48, 0xCF], at: LongModeGuest.handlers + 16 * 2)
        #expect(guest.processor.deliver(Delivery(vector: 2, kind: .nmi)) == .retired)
        #expect(guest.processor.acceptsNMI == false)
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.acceptsNMI == true)
        #expect(guest.processor.rip == 0x1000)
    }

    @Test func systemCallAndReturn() {
        var guest = LongModeGuest([0x0F, 0x05])
        guest.setPrivilege(3)
        guest.processor.msrs.star = 0x0010_0008 << 32
        guest.processor.msrs.lstar = 0x1100
        guest.processor.msrs.syscallMask = Flag.interrupt
        guest.memory.write([0x48, 0x0F, 0x07], at: 0x1100)  // sysretq
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.privilege == 0)
        #expect(guest.processor.rip == 0x1100)
        #expect(guest.processor.flags & Flag.interrupt == 0)
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.privilege == 3)
        #expect(guest.processor.rip == 0x1002)
        #expect(guest.processor.segments[SegmentRegister.cs].selector == 0x23)
        #expect(guest.processor.flags & Flag.interrupt != 0)
    }

    @Test func interceptsComeAfterPrivilegeAndBeforeEffects() {
        var guest = LongModeGuest([0xF4])
        guest.processor.intercepts = .all
        #expect(guest.processor.step() == .intercepted(.hlt))
        #expect(guest.processor.rip == 0x1000)
        #expect(guest.processor.interception.length == 1)
        #expect(guest.processor.stepThroughIntercepts() == .retired)
        #expect(guest.processor.step() == .halted)
        guest = LongModeGuest([0xF4])
        guest.setPrivilege(3)
        guest.processor.intercepts = .all
        guest.processor.interceptedExceptions = .max
        #expect(guest.processor.step() == .exception(.general()))
    }

    @Test func unsupportedInstructionsAreCounted() {
        var guest = LongModeGuest([0x0F, 0x53, 0xC0])  // rcpps xmm0, xmm0
        guest.processor.interceptedExceptions = .max
        #expect(guest.processor.step() == .exception(.undefinedInstruction))
        #expect(guest.processor.unsupported.byName.map(\.name) == ["0F 53 /0"])
    }
}
