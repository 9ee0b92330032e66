// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86
import X86Differential

/// Checks that Unicorn 2.0.1 doesn't make, and what it leaves behind where an instruction faults: a fault leaves the state as it
/// was before (SDM vol. 3, 6.6). See `UnicornErrorTests`.
@Suite struct UnicornFaultTests {
    // Vol. 1, 11.6.10.1.
    @Test func vectorOperandsMustBeAligned() {
        let codes: [[UInt8]] = [
            [0x0F, 0x28, 0x06], [0x66, 0x0F, 0xFE, 0x06], [0x66, 0x0F, 0x7F, 0x06], [0x0F, 0x58, 0x06],
        ]
        for code in codes {
            var aligned = Guest(.bits64, code)
            #expect(aligned.execute() == .retired)
            var misaligned = Guest(.bits64, code)
            misaligned[Register.rsi] += 8
            #expect(misaligned.execute() == .exception(.general()))
        }
        var unaligned = Guest(.bits64, [0x0F, 0x10, 0x06])  // movups
        unaligned[Register.rsi] += 1
        #expect(unaligned.execute() == .retired)
    }

    // Vol. 3, 5.3 and 3.3.7.1: #SS for the stack segment, #GP for others.
    @Test func limitsAndCanonicalAddresses() {
        var word = Guest(.bits16, [0x8B, 0x04])  // mov ax, [si]
        word[Register.rsi] = 0xFFFF
        #expect(word.execute() == .exception(.general()))
        var far = Guest(.bits16, [0x67, 0x8B, 0x06])  // mov ax, [esi]
        far[Register.rsi] = 0x1_0000
        #expect(far.execute() == .exception(.general()))
        var stack = Guest(.bits16, [0x67, 0x8B, 0x45, 0])  // mov ax, [ebp]
        stack[Register.rbp] = 0x1_0000
        #expect(stack.execute() == .exception(ProcessorException(vector: 12, errorCode: 0)))
        var wrapping = Guest(.bits32, [0x8B, 0x06])  // mov eax, [esi]
        wrapping[Register.rsi] = 0xFFFF_FFFE
        #expect(wrapping.execute() == .exception(.general()))
        var hole = Guest(.bits64, [0x8B, 0x06])
        hole[Register.rsi] = 0x8000_0000_0000
        #expect(hole.execute() == .exception(.general()))
        var push = Guest(.bits64, [0x50])
        push[Register.rsp] = 0x8000_0000_0008
        #expect(push.execute() == .exception(ProcessorException(vector: 12, errorCode: 0)))
    }

    // Vol. 2, LOCK: only with a memory destination.
    @Test func lockOnRegisters() {
        let codes: [[UInt8]] = [
            [0x0F, 0xC1, 0xC3], [0x0F, 0xB1, 0xC3], [0x87, 0xC3], [0x0F, 0xAB, 0xC3], [0xF7, 0xDB], [0xFF, 0xC3],
        ]
        for code in codes {
            var guest = Guest(.bits64, [0xF0] + code)
            #expect(guest.execute() == .exception(.undefinedInstruction))
        }
    }

    // Vol. 2, REP: "the EFLAGS value is restored to the state prior to the execution of the instruction".
    @Test func repeatedComparisonRestoresFlags() {
        var guest = Guest(.bits32, [0xF3, 0xA6])  // repe cmpsb
        guest.memory[Guest.data + 0x800, 2] = 0
        guest[Register.rcx] = 10
        guest.processor.flags |= Flag.carry | Flag.sign
        guest.processor.segments[SegmentRegister.ds].limit = UInt32(Guest.data) + 1
        #expect(guest.execute() == .exception(.general()))
        #expect(guest.flags & Flag.status == Flag.carry | Flag.sign)
        // What was compared before counts.
        #expect(guest[Register.rcx] == 8)
        #expect(guest[Register.rsi] == UInt64(Guest.data) + 2)
    }

    @Test func aStoreThatReachesIntoAMissingPageStoresNothing() {
        var guest = LongModeGuest([0x48, 0x89, 0x07])  // mov [rdi], rax
        guest.page(0x41000, clear: 1)
        guest.processor.interceptedExceptions = 1 << 14
        guest.memory[0x40FF8, 8] = 0x1122_3344_5566_7788
        guest.processor.registers[Register.rdi] = 0x40FFC
        guest.processor.registers[Register.rax] = .max
        #expect(guest.processor.step() == .exception(.page(2)))
        #expect(guest.processor.faultAddress == 0x41000)
        #expect(guest.memory[0x40FF8, 8] == 0x1122_3344_5566_7788)
    }

    // Vol. 2, PUSHA: EAX first, ESP as it was before.
    @Test func orderOfPushAll() {
        var guest = Guest(.bits32, [0x60])
        for number in 0..<8 where number != Register.rsp { guest[number] = UInt64(0x100 + number) }
        #expect(guest.execute() == .retired)
        let expected: [UInt64] = [0x107, 0x106, 0x105, UInt64(Guest.stack), 0x103, 0x102, 0x101, 0x100]
        for (index, value) in expected.enumerated() { #expect(guest.memory[Guest.stack - 32 + 4 * index, 4] == value) }
    }

    @Test func exchangingPairsChangesOneFlag() {
        var guest = Guest(.bits64, [0x38, 0xDB, 0x0F, 0xC7, 0x0E])  // cmp bl, bl; cmpxchg8b [rsi]
        guest.memory[Guest.data, 8] = 5
        #expect(guest.execute(2) == .retired)
        // PF is CMP's, ZF tells that 5 wasn't in EDX:EAX.
        #expect(guest.flags & Flag.status == Flag.parity)
        #expect(guest[Register.rax] == 5)
    }

    @Test(arguments: [[0x0F, 0xC7, 0x0F], [0xD1, 0x17], [0xD1, 0x1F]] as [[UInt8]])
    func instructionsThatCannotBeStoredChangeNothing(code: [UInt8]) {
        var guest = LongModeGuest(code)  // cmpxchg8b, rcl and rcr of [rdi]
        guest.page(0x40000, clear: 2)
        guest.processor.interceptedExceptions = 1 << 14
        guest.memory[0x40000, 8] = 0x8000_0001
        guest.processor.registers[Register.rdi] = 0x40000
        guest.processor.registers[Register.rax] = 9
        guest.processor.flags |= Flag.zero
        #expect(guest.processor.step() == .exception(.page(3)))
        #expect(guest.processor.registers[Register.rax] == 9)
        #expect(guest.processor.flags & Flag.status == Flag.zero)
        #expect(guest.processor.rip == 0x1000)
    }

    @Test(arguments: [0xE0, 0xE1] as [UInt8])
    func loopsLeaveFlags(opcode: UInt8) {
        var guest = Guest(.bits64, [0x1C, 0x22, opcode, 0])  // sbb al, 22h; loopne or loope
        guest[Register.rcx] = 1
        #expect(guest.execute(2) == .retired)
        #expect(guest.flags & Flag.status == Flag.carry | Flag.parity | Flag.sign | Flag.adjust)
        #expect(guest[Register.rcx] == 0)
    }
}
