// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86
import X86Differential

/// BOUND: signed, both bounds included (SDM vol. 2).
@Suite struct BoundTests {
    static let code: [UInt8] = [0x62, 0x06]  // bound eax, [esi]
    static let boundRange = Outcome.exception(ProcessorException(vector: ProcessorException.boundRange))

    @Test(arguments: [(-5, true), (-6, false), (10, true), (11, false), (0, true)] as [(Int32, Bool)])
    func bounds(_ value: Int32, isInside: Bool) {
        var guest = Guest(.bits32, Self.code)
        guest.memory[Guest.data, 4] = UInt64(UInt32(bitPattern: -5))
        guest.memory[Guest.data + 4, 4] = 10
        guest[Register.rax] = UInt64(UInt32(bitPattern: value))
        #expect(guest.execute() == (isInside ? .retired : Self.boundRange))
        #expect(guest.rip == UInt64(Guest.code + (isInside ? 2 : 0)))
    }

    @Test func sixteenBitsHaveTwoWords() {
        for (value, isInside) in [(0xFFFF, true), (0x8000, false), (3, true), (4, false)] as [(UInt64, Bool)] {
            var guest = Guest(.bits16, [0x62, 0x04])  // bound ax, [si]
            guest.memory[Guest.data, 2] = 0xFFF0
            guest.memory[Guest.data + 2, 2] = 3
            guest[Register.rax] = value
            #expect(guest.execute() == (isInside ? .retired : Self.boundRange))
        }
    }

    @Test func registersAnd64BitModeAreUndefined() {
        var register = Guest(.bits32, [0x62, 0xC0])
        #expect(register.execute() == .exception(.undefinedInstruction))
        var long = Guest(.bits64, Self.code)
        #expect(long.execute() == .exception(.undefinedInstruction))
    }
}
