// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86
import X86Differential

@Suite struct ArithmeticTests {
    @Test func addSetsCarryZeroAndAdjust() {
        var guest = Guest(.bits64, [0x48, 0x01, 0xD8])  // add rax, rbx
        guest[Register.rax] = .max
        guest[Register.rbx] = 1
        #expect(guest.execute() == .retired)
        #expect(guest[Register.rax] == 0)
        #expect(guest.flags & Flag.status == Flag.carry | Flag.zero | Flag.adjust | Flag.parity)
        #expect(guest.rip == 0x1003)
    }

    @Test func thirtyTwoBitResultsClearTheUpperHalf() {
        var guest = Guest(.bits64, [0x01, 0xD8])  // add eax, ebx
        guest[Register.rax] = 0xFFFF_FFFF_0000_0001
        #expect(guest.execute() == .retired)
        #expect(guest[Register.rax] == 1)
    }

    @Test func highByteRegistersWithoutREX() {
        var guest = Guest(.bits64, [0x00, 0xE4])  // add ah, ah
        guest[Register.rax] = 0x4080
        #expect(guest.execute() == .retired)
        #expect(guest[Register.rax] == 0x8080)
        #expect(guest.flags & Flag.overflow != 0)
    }

    @Test(arguments: [(0x10, 0x100, 0x10), (0x10, 0, 0x10)] as [(UInt64, UInt64, UInt64)])
    func divisionThatDoesNotFitFaults(low: UInt64, high: UInt64, divisor: UInt64) {
        var guest = Guest(.bits32, [0xF7, 0xF3])  // div ebx
        guest[Register.rax] = low
        guest[Register.rdx] = high
        guest[Register.rbx] = divisor
        let outcome = guest.execute()
        if high >= divisor {
            #expect(outcome == .exception(.division))
            #expect(guest.rip == 0x1000)
            #expect(guest[Register.rax] == low)
        } else {
            #expect(outcome == .retired)
            #expect(guest[Register.rax] == low / divisor)
        }
    }

    @Test func leastIntegerDividedByMinusOneFaults() {
        var guest = Guest(.bits64, [0x48, 0xF7, 0xFB])  // idiv rbx
        guest[Register.rax] = 1 << 63
        guest[Register.rdx] = .max
        guest[Register.rbx] = .max
        #expect(guest.execute() == .exception(.division))
    }

    @Test func lockNeedsAMemoryDestination() {
        var register = Guest(.bits64, [0xF0, 0x48, 0x01, 0xD8])  // lock add rax, rbx
        #expect(register.execute() == .exception(.undefinedInstruction))
        var memory = Guest(.bits64, [0xF0, 0x48, 0x01, 0x1E])  // lock add [rsi], rbx
        memory[Register.rbx] = 5
        #expect(memory.execute() == .retired)
        #expect(memory.memory[Guest.data, 8] == 5)
        var load = Guest(.bits64, [0xF0, 0x8B, 0x06])  // lock mov eax, [rsi]
        #expect(load.execute() == .exception(.undefinedInstruction))
    }

    @Test func sixteenBytesAreTooMany() {
        var guest = Guest(.bits64, [UInt8](repeating: 0x66, count: 15) + [0x90])
        #expect(guest.execute() == .exception(.general()))
    }
}
