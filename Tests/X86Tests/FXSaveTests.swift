// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86
import X86Differential

/// FXSAVE and FXRSTOR (SDM vol. 1, 10.5).
@Suite struct FXSaveTests {
    private func prepare(_ guest: inout Guest) {
        guest.processor.vectors.controlWord = 0x27F
        guest.processor.vectors.statusWord = 5 << 11 | 0x4100
        guest.processor.vectors.tagWord = 0b1110_0000
        guest.processor.vectors.mxcsr = 0x5F80
        guest.processor.vectors.lastOpcode = 0x1E8
        guest.processor.vectors.lastInstruction = 0x1234_5678_9ABC
        guest.processor.vectors.lastData = 0x4321_8765_CBA9
        for number in 0..<8 {
            guest.processor.vectors.x87[number] = SIMD2(UInt64(number) << 60 | 1, UInt64(0x3FF0 + number))
        }
        for number in 0..<16 {
            guest.processor.vectors.xmm[number] = SIMD2(UInt64(number) &* 0x0101_0101, ~UInt64(number))
        }
    }

    @Test func theAreaIsAsItMustBe() {
        var guest = Guest(.bits64, [0x48, 0x0F, 0xAE, 0x06])  // fxsave64 [rsi]
        prepare(&guest)
        #expect(guest.execute() == .retired)
        let area = Guest.data
        #expect(guest.memory[area, 2] == 0x27F)
        #expect(guest.memory[area + 2, 2] == 5 << 11 | 0x4100)
        #expect(guest.memory[area + 4, 1] == 0b1110_0000)
        #expect(guest.memory[area + 6, 2] == 0x1E8)
        #expect(guest.memory[area + 8, 8] == 0x1234_5678_9ABC)
        #expect(guest.memory[area + 16, 8] == 0x4321_8765_CBA9)
        #expect(guest.memory[area + 24, 4] == 0x5F80)
        #expect(guest.memory[area + 28, 4] == 0xFFFF)
        // ST(0), which is R5, comes first.
        for n in 0..<8 {
            #expect(guest.memory[area + 32 + 16 * n, 8] == UInt64((n + 5) % 8) << 60 | 1)
            #expect(guest.memory[area + 40 + 16 * n, 8] == UInt64(0x3FF0 + (n + 5) % 8))
        }
        for number in 0..<16 {
            #expect(guest.memory[area + 160 + 16 * number, 8] == UInt64(number) &* 0x0101_0101)
            #expect(guest.memory[area + 168 + 16 * number, 8] == ~UInt64(number))
        }
        // What software may use stays.
        #expect((416..<512).allSatisfy { guest.memory[area + $0, 1] == 0 })
    }

    @Test func whatIsSavedIsRestored() {
        var guest = Guest(.bits64, [0x48, 0x0F, 0xAE, 0x06, 0xDB, 0xE3, 0x48, 0x0F, 0xAE, 0x0E])
        prepare(&guest)
        #expect(guest.execute() == .retired)
        #expect(guest.execute() == .retired)
        #expect(guest.processor.vectors.tagWord == 0)
        for number in 0..<16 { guest.processor.vectors.xmm[number] = .zero }
        for number in 0..<8 { guest.processor.vectors.x87[number] = .zero }
        guest.processor.vectors.mxcsr = 0x1F80
        #expect(guest.execute() == .retired)
        var other = Guest(.bits64)
        prepare(&other)
        let (found, expected) = (guest.processor.vectors, other.processor.vectors)
        #expect(found.controlWord == expected.controlWord)
        #expect(found.statusWord == expected.statusWord)
        #expect(found.tagWord == expected.tagWord)
        #expect(found.mxcsr == expected.mxcsr)
        #expect(found.lastOpcode == expected.lastOpcode)
        #expect(found.lastInstruction == expected.lastInstruction)
        #expect(found.lastData == expected.lastData)
        for number in 0..<16 { #expect(found.xmm[number] == expected.xmm[number]) }
        for number in 0..<8 { #expect(found.x87[number] == expected.x87[number]) }
    }

    @Test func outside64BitModeThereAreEightRegisters() {
        var guest = Guest(.bits32, [0x0F, 0xAE, 0x06, 0x0F, 0xAE, 0x0E])
        prepare(&guest)
        #expect(guest.execute() == .retired)
        #expect(guest.memory[Guest.data + 160 + 16 * 7, 8] == 7 * 0x0101_0101)
        #expect(guest.memory[Guest.data + 160 + 16 * 8, 8] == 0)
        #expect(guest.memory[Guest.data + 8, 8] == 0x5678_9ABC)
        guest.processor.vectors.xmm[8] = SIMD2(1, 2)
        #expect(guest.execute() == .retired)
        #expect(guest.processor.vectors.xmm[8] == SIMD2(1, 2))
        #expect(guest.processor.vectors.lastInstruction == 0x5678_9ABC)
    }

    @Test func refusals() {
        let save: [UInt8] = [0x0F, 0xAE, 0x06]
        var misaligned = Guest(.bits64, save)
        misaligned[Register.rsi] += 8
        #expect(misaligned.execute() == .exception(.general()))
        for bit in [CR0.taskSwitched, CR0.emulation] {
            var unavailable = Guest(.bits64, save)
            unavailable.processor.cr0 |= bit
            #expect(unavailable.execute() == .exception(ProcessorException(vector: 7)))
        }
        // Reserved bits of MXCSR, before anything changes.
        var reserved = Guest(.bits64, [0x0F, 0xAE, 0x0E])
        prepare(&reserved)
        reserved.memory[Guest.data + 24, 4] = 0x1_0000
        #expect(reserved.execute() == .exception(.general()))
        #expect(reserved.processor.vectors.controlWord == 0x27F)
        // The area's second page can't be written: nothing of the first is.
        var across = LongModeGuest(save)
        across.processor.registers[Register.rsi] = 0x40F00
        across.page(0x41000, clear: 1)
        across.processor.interceptedExceptions = .max
        #expect(across.processor.step() == .exception(.page(2)))
        #expect(across.processor.faultAddress >= 0x41000)
        #expect(across.memory[0x40F00, 8] == 0)
    }
}
