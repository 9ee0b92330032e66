// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86
import X86Differential

/// What of the x87 isn't arithmetic: when exceptions are raised, the last instruction's place, the formats of its environment.
@Suite struct X87Tests {
    static let error = Outcome.exception(ProcessorException(vector: ProcessorException.floatingPoint))

    /// 1 / 0 with the exception unmasked, then `code`.
    private func failing(_ code: [UInt8]) -> Guest {
        var guest = Guest(.bits64, [0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9] + code)  // fld1; fldz; fdivp
        guest.processor.cr0 |= CR0.numericError
        guest.processor.vectors.controlWord = 0x37B
        #expect(guest.execute(3) == .retired)
        #expect(guest.processor.vectors.statusWord & 0x8084 == 0x8084)
        return guest
    }

    @Test(arguments: [[0x9B], [0xD9, 0xE8], [0xD9, 0xD0], [0xD9, 0x2E], [0xDD, 0x26]] as [[UInt8]])
    func theNextWaitingInstructionRaisesTheError(_ code: [UInt8]) {
        var guest = failing(code)
        #expect(guest.execute() == Self.error)
        #expect(guest.rip == UInt64(Guest.code + 6))
        // Without CR0.NE nobody hears of it.
        var silent = failing(code)
        silent.processor.cr0 &= ~CR0.numericError
        #expect(silent.execute() == .retired)
    }

    @Test(
        arguments: [
            [0xDB, 0xE3], [0xDB, 0xE2], [0xDF, 0xE0], [0xD9, 0x3E], [0xDD, 0x3E], [0xD9, 0x36], [0xDD, 0x36],
            [0xDB, 0xE4],
        ] as [[UInt8]])
    func instructionsThatDoNotWait(_ code: [UInt8]) {
        var guest = failing(code)
        #expect(guest.execute() == .retired)
    }

    @Test func availability() {
        let unavailable = Outcome.exception(ProcessorException(vector: ProcessorException.deviceNotAvailable))
        for bit in [CR0.taskSwitched, CR0.emulation] {
            var guest = Guest(.bits64, [0xD9, 0xE8])
            guest.processor.cr0 |= bit
            #expect(guest.execute() == unavailable)
        }
        // WAIT asks TS only with MP, and never EM.
        for (bits, faults) in [
            (CR0.taskSwitched, false), (CR0.taskSwitched | CR0.monitorCoprocessor, true), (CR0.emulation, false),
        ] {
            var guest = Guest(.bits64, [0x9B])
            guest.processor.cr0 |= bits
            #expect(guest.execute() == (faults ? unavailable : .retired))
        }
    }

    @Test func theLastInstructionIsNoted() {
        var guest = Guest(.bits64, [0x66, 0xD9, 0x46, 0x10, 0xD9, 0xE8, 0xD9, 0x3E])  // fld dword [rsi+16]; fld1; fnstcw
        #expect(guest.execute() == .retired)
        #expect(guest.processor.vectors.lastInstruction == UInt64(Guest.code))
        #expect(guest.processor.vectors.lastData == UInt64(Guest.data + 16))
        #expect(guest.processor.vectors.lastOpcode == 0x146)
        #expect(guest.execute(2) == .retired)
        #expect(guest.processor.vectors.lastInstruction == UInt64(Guest.code + 4))
        #expect(guest.processor.vectors.lastData == UInt64(Guest.data + 16))
        #expect(guest.processor.vectors.lastOpcode == 0x1E8)
    }

    @Test func aFaultingOperandChangesNothing() {
        // fild qword [rdi]; fistp qword [rdi], in a page that isn't there
        for code in [[0xDF, 0x2F], [0xDF, 0x3F], [0xDB, 0x3F], [0xDD, 0x37]] as [[UInt8]] {
            var guest = LongModeGuest(code)
            guest.page(0x41000, clear: 1)
            guest.processor.registers[Register.rdi] = 0x40FFC
            guest.processor.interceptedExceptions = .max
            guest.processor.vectors.tagWord = 0x01
            guest.processor.vectors.x87[0] = SIMD2(1 << 63, 0x3FFF)
            guard case .exception(let exception) = guest.processor.step() else {
                Issue.record("no fault")
                continue
            }
            #expect(exception.vector == ProcessorException.pageFault)
            #expect(guest.processor.vectors.tagWord == 1)
            #expect(guest.processor.vectors.statusWord == 0)
            #expect(guest.processor.vectors.lastInstruction == 0)
            #expect(guest.memory[0x40FF8, 8] == 0)
        }
    }

    /// FNSTENV's fields after FLD m32 at 0x1000 from 0x4010, by mode and operand size.
    @Test func environments() {
        func fields(_ mode: CaseMode, _ code: [UInt8], _ size: Int) -> [UInt64] {
            var guest = Guest(mode, code)
            #expect(guest.execute(2) == .retired)
            #expect(guest.processor.vectors.controlWord == 0x37F)
            return (0..<7).map { guest.memory[Guest.data + size * $0, size] }
        }
        let tags: UInt64 = 0x7FFF
        #expect(
            fields(.bits64, [0xD9, 0x46, 0x10, 0xD9, 0x36], 4)
                == [0xFFFF_037F, 0xFFFF_3800, 0xFFFF_0000 | tags, 0x1000, 0x146 << 16, 0x4010, 0xFFFF_0000])
        #expect(
            fields(.bits32, [0xD9, 0x46, 0x10, 0x66, 0xD9, 0x36], 2) == [0x37F, 0x3800, tags, 0x1000, 0, 0x4010, 0])
        // Real mode's pointers are 20 or 32 bits of linear address, around the opcode.
        #expect(
            fields(.bits16, [0xD9, 0x44, 0x10, 0xD9, 0x34], 2) == [0x37F, 0x3800, tags, 0x1000, 0x144, 0x4010, 0])
        #expect(
            fields(.bits16, [0xD9, 0x44, 0x10, 0x66, 0xD9, 0x34], 4)
                == [0xFFFF_037F, 0xFFFF_3800, 0xFFFF_0000 | tags, 0xFFFF_1000, 0x144, 0xFFFF_4010, 0])
    }

    @Test(arguments: CaseMode.allCases, [[], [0x66]] as [[UInt8]])
    func whatIsSavedIsRestored(_ mode: CaseMode, _ prefix: [UInt8]) {
        let operand: UInt8 = mode == .bits16 ? 4 : 6
        var guest = Guest(mode, prefix + [0xDD, 0x30 | operand] + prefix + [0xDD, 0x20 | operand])
        guest.processor.vectors.controlWord = 0xC7F
        guest.processor.vectors.statusWord = 3 << 11 | 0x4700
        guest.processor.vectors.tagWord = 0b0011_1000
        for number in 0..<8 {
            guest.processor.vectors.x87[number] = SIMD2(UInt64(number) | 1 << 63, UInt64(0x4000 + number))
        }
        #expect(guest.execute() == .retired)
        #expect(guest.processor.vectors.tagWord == 0)
        #expect(guest.processor.vectors.controlWord == 0x37F)
        for number in 0..<8 { guest.processor.vectors.x87[number] = .zero }
        #expect(guest.execute() == .retired)
        let state = guest.processor.vectors
        #expect(state.controlWord == 0xC7F)
        #expect(state.statusWord == 3 << 11 | 0x4700)
        #expect(state.tagWord == 0b0011_1000)
        for number in 0..<8 { #expect(state.x87[number] == SIMD2(UInt64(number) | 1 << 63, UInt64(0x4000 + number))) }
    }

    @Test func unassignedEncodingsAreUndefined() {
        for code in [
            [0xD9, 0xD1], [0xD9, 0xE2], [0xDA, 0xE8], [0xDB, 0xF8], [0xDD, 0xF0], [0xDE, 0xD8], [0xDF, 0xF8],
        ] as [[UInt8]] {
            var guest = Guest(.bits64, code)
            #expect(guest.execute() == .exception(.undefinedInstruction))
        }
    }
}
