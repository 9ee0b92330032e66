// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86

/// Far calls through gates, and the returns from them (SDM vol. 3, 5.8).
@Suite struct CallGateTests {
    /// call 0x30:0
    static let call: [UInt8] = [0x9A, 0, 0, 0, 0, 0x30, 0]

    @Test func aGateRaisesThePrivilegeAndCopiesParameters() {
        var guest = ProtectedGuest(Self.call)
        guest.setPrivilege(3)
        guest.setCallGate(to: 0x2000, parameters: 2)
        guest.memory[ProtectedGuest.stack, 4] = 0x1111
        guest.memory[ProtectedGuest.stack + 4, 4] = 0x2222
        guest.memory.write([0xCA, 8, 0], at: 0x2000)  // retf 8
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.privilege == 0)
        #expect(guest.processor.rip == 0x2000)
        #expect(guest.processor.segments[SegmentRegister.cs].selector == 8)
        #expect(guest.processor.segments[SegmentRegister.ss].selector == 0x10)
        #expect(guest.processor.registers[Register.rsp] == UInt64(ProtectedGuest.kernelStack - 24))
        #expect(guest.stack(0) == 0x1007)
        #expect(guest.stack(4) == 0x1B)
        #expect(guest.stack(8) == 0x1111)
        #expect(guest.stack(12) == 0x2222)
        #expect(guest.stack(16) == UInt64(ProtectedGuest.stack))
        #expect(guest.stack(20) == 0x23)
        // The return drops the parameters on both stacks, and segments that ring 3 may not have.
        guest.processor.segments[SegmentRegister.fs] = Segment(selector: 0x10, limit: .max, access: 0xC093)
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.privilege == 3)
        #expect(guest.processor.rip == 0x1007)
        #expect(guest.processor.registers[Register.rsp] == UInt64(ProtectedGuest.stack + 8))
        #expect(guest.processor.segments[SegmentRegister.fs].isUnusable)
        #expect(!guest.processor.segments[SegmentRegister.ds].isUnusable)
    }

    @Test func aGateWithoutChangeOfPrivilegeKeepsTheStack() {
        var guest = ProtectedGuest(Self.call)
        guest.setCallGate(to: 0x2000, level: 0, parameters: 2)
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.registers[Register.rsp] == UInt64(ProtectedGuest.stack - 8))
        #expect(guest.stack(0) == 0x1007)
    }

    @Test func refusals() {
        func outcome(_ level: UInt8 = 3, _ change: (inout ProtectedGuest) -> Void) -> Outcome {
            var guest = ProtectedGuest(Self.call)
            guest.setPrivilege(level)
            guest.setCallGate(to: 0x2000)
            change(&guest)
            return guest.stepWatched()
        }
        #expect(outcome { $0.setCallGate(to: 0x2000, level: 0) } == .exception(.general(0x30)))
        #expect(outcome { $0.setCallGate(to: 0x2000, code: 0) } == .exception(.general()))
        #expect(outcome { $0.setCallGate(to: 0x2000, code: 0x10) } == .exception(.general(0x10)))
        #expect(outcome { $0.setCallGate(to: 0x2000, code: 0x40) } == .exception(.general(0x40)))
        // From ring 0 to ring 3: never by a call.
        #expect(outcome(0) { $0.setCallGate(to: 0x2000, code: 0x18) } == .exception(.general(0x18)))
        #expect(
            outcome { $0.setCallGate(to: 0x2000, present: false) }
                == .exception(ProcessorException(vector: ProcessorException.segmentNotPresent, errorCode: 0x30)))
        // The TSS's stack segment is wrong, or its field lies beyond the TSS.
        #expect(
            outcome { $0.memory[ProtectedGuest.tss + 8, 2] = 0x23 }
                == .exception(ProcessorException(vector: ProcessorException.invalidTSS, errorCode: 0x20)))
        #expect(
            outcome { $0.processor.tr.limit = 6 }
                == .exception(ProcessorException(vector: ProcessorException.invalidTSS, errorCode: 0x28)))
        // A jump through a gate may not change the privilege.
        #expect(
            outcome { $0.memory.write([0xEA], at: ProtectedGuest.code) } == .exception(.general(8)))
    }

    @Test func whatFailsLeavesNoTrace() {
        // The inner stack has no room: nothing has changed when #SS comes.
        var guest = ProtectedGuest(Self.call)
        guest.setPrivilege(3)
        guest.setCallGate(to: 0x2000)
        guest.memory[ProtectedGuest.gdt + 0x10, 8] = 0x0040_9300_0000_0FFF
        #expect(
            guest.stepWatched() == .exception(ProcessorException(vector: ProcessorException.stack, errorCode: 0x10)))
        #expect(guest.processor.privilege == 3)
        #expect(guest.processor.rip == 0x1000)
        #expect(guest.processor.registers[Register.rsp] == UInt64(ProtectedGuest.stack))
        #expect(guest.processor.segments[SegmentRegister.ss].selector == 0x23)
    }

    @Test func conformingCodeRunsAtItsCallersPrivilege() {
        var guest = ProtectedGuest([0x9A, 0, 0x20, 0, 0, 0x30, 0])  // call 0x30:0x2000
        guest.setPrivilege(3)
        guest.memory[ProtectedGuest.gdt + 0x30, 8] = 0x00CF_9F00_0000_FFFF
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.privilege == 3)
        #expect(guest.processor.segments[SegmentRegister.cs].selector == 0x33)
        #expect(guest.processor.rip == 0x2000)
    }

    @Test func longModeGates() {
        // call far [rdi], as user
        func guest(level: UInt64 = 3, upper: UInt64 = 0) -> LongModeGuest {
            var guest = LongModeGuest([0xFF, 0x1F])
            guest.setPrivilege(3)
            guest.processor.gdtr.limit = 0x47
            guest.memory[LongModeGuest.gdt + 0x30, 8] = 0x2000 | 8 << 16 | (0x8C | level << 5) << 40
            guest.memory[LongModeGuest.gdt + 0x38, 8] = upper
            guest.memory[0x3000, 4] = 0
            guest.memory[0x3004, 2] = 0x30
            guest.processor.registers[Register.rdi] = 0x3000
            guest.processor.interceptedExceptions = .max
            return guest
        }
        var good = guest()
        good.memory.write([0x48, 0xCB], at: 0x2000)  // retfq
        #expect(good.processor.step() == .retired)
        #expect(good.processor.privilege == 0)
        #expect(good.processor.registers[Register.rsp] == UInt64(LongModeGuest.kernelStack - 32))
        #expect(good.stack(0) == 0x1002)
        #expect(good.stack(8) == 0x23)
        #expect(good.stack(16) == 0x5000)
        #expect(good.stack(24) == 0x1B)
        #expect(good.processor.segments[SegmentRegister.ss].selector == 0)
        #expect(good.processor.segments[SegmentRegister.ss].isUnusable)
        #expect(good.processor.step() == .retired)
        #expect(good.processor.privilege == 3)
        #expect(good.processor.rip == 0x1002)
        #expect(good.processor.registers[Register.rsp] == 0x5000)
        var tooHigh = guest(level: 0)
        #expect(tooHigh.processor.step() == .exception(.general(0x30)))
        // The upper half's type must be 0.
        var notAGate = guest(upper: 1 << 40)
        #expect(notAGate.processor.step() == .exception(.general(0x30)))
    }
}
