// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86
import X86Differential

/// What the SDM says where Unicorn 2.0.1 does otherwise: one test for each entry of Tests/X86Differential/KnownDifferences.swift
/// about instructions and their results; those about faults are in `UnicornFaultTests`.
@Suite struct UnicornErrorTests {
    /// Runs one instruction of 64-bit code with RAX, RBX and RCX set, and the flags' status bits clear.
    private func run(_ code: [UInt8], rax: UInt64 = 0, rbx: UInt64 = 0, rcx: UInt64 = 0) -> Guest {
        var guest = Guest(.bits64, code)
        guest[Register.rax] = rax
        guest[Register.rbx] = rbx
        guest[Register.rcx] = rcx
        #expect(guest.execute() == .retired)
        return guest
    }

    // POPCNT: vol. 2, ZF for a zero source, the other flags cleared.
    @Test func populationCount() {
        var guest = Guest(.bits64, [0xF3, 0x48, 0x0F, 0xB8, 0xC3, 0xF3, 0x0F, 0xB8, 0xC8])  // popcnt rax, rbx; popcnt ecx, eax
        guest[Register.rbx] = 0x8000_0000_0000_0101
        guest[Register.rcx] = .max
        guest.processor.flags |= Flag.status
        #expect(guest.execute() == .retired)
        #expect(guest[Register.rax] == 3)
        #expect(guest.flags & Flag.status == 0)
        guest[Register.rax] = 1 << 32
        #expect(guest.execute() == .retired)
        #expect(guest[Register.rcx] == 0)
        #expect(guest.flags & Flag.status == Flag.zero)
    }

    @Test func moveBigEndian() {
        var load = Guest(.bits64, [0x0F, 0x38, 0xF0, 0x06])  // movbe eax, [rsi]
        load.memory[Guest.data, 8] = 0x1122_3344_5566_7788
        load[Register.rax] = .max
        #expect(load.execute() == .retired)
        #expect(load[Register.rax] == 0x8877_6655)
        var word = Guest(.bits64, [0x66, 0x0F, 0x38, 0xF0, 0x06])  // movbe ax, [rsi]
        word.memory[Guest.data, 8] = 0x7788
        word[Register.rax] = .max
        #expect(word.execute() == .retired)
        #expect(word[Register.rax] == 0xFFFF_FFFF_FFFF_8877)
        var store = Guest(.bits64, [0x48, 0x0F, 0x38, 0xF1, 0x06])  // movbe [rsi], rax
        store[Register.rax] = 0x1122_3344_5566_7788
        #expect(store.execute() == .retired)
        #expect(store.memory[Guest.data, 8] == 0x8877_6655_4433_2211)
    }

    // Table A-6 has TEST in /0; in /1 all processors have it too.
    @Test(arguments: [[0xF6, 0xC8, 0x80], [0xF7, 0xC8, 0x80, 0, 0, 0]] as [[UInt8]])
    func testHasTwoEncodings(code: [UInt8]) {
        #expect(run(code, rax: 0x80).flags & Flag.zero == 0)
        #expect(run(code, rax: 0x7F).flags & Flag.zero != 0)
    }

    @Test func extendedOpcodesIgnoreREXR() {
        let guest = run([0x44, 0xC6, 0xC0, 0x5A], rax: 0x1100)  // rex.r mov al, 5ah
        #expect(guest[Register.rax] == 0x115A)
        #expect(run([0x4C, 0xC7, 0xC0, 0xFF, 0xFF, 0xFF, 0xFF])[Register.rax] == .max)  // rex.wr mov rax, -1
    }

    // CMPPS: "bits 7:3 of the immediate are reserved", and processors don't look at them.
    @Test func comparisonPredicatesHaveThreeBits() {
        for predicate in [0, 0xF8] as [UInt8] {
            var guest = Guest(.bits64, [0xF2, 0x0F, 0xC2, 0xC1, predicate])  // cmpsd xmm0, xmm1, equal
            guest.processor.vectors.xmm[0] = [(1.5 as Double).bitPattern, 7]
            guest.processor.vectors.xmm[1] = [(1.5 as Double).bitPattern, 8]
            #expect(guest.execute() == .retired)
            #expect(guest.processor.vectors.xmm[0] == [.max, 7])
        }
    }

    // "NP 0F C3": no mandatory prefix.
    @Test func nonTemporalMovesTakeNoPrefix() {
        for prefix in [0x66, 0xF2, 0xF3] as [UInt8] {
            var guest = Guest(.bits64, [prefix, 0x0F, 0xC3, 0x06])
            #expect(guest.execute() == .exception(.undefinedInstruction))
        }
    }

    // The mask is the ModRM operand, the value VEX.vvvv.
    @Test func depositAndExtract() {
        // pdep rax, rbx, rcx and pext rax, rbx, rcx: the SDM's figures 4-8 and 4-9 with short numbers.
        #expect(run([0xC4, 0xE2, 0xE3, 0xF5, 0xC1], rbx: 0b1011, rcx: 0xF0F0)[Register.rax] == 0xB0)
        #expect(run([0xC4, 0xE2, 0xE2, 0xF5, 0xC1], rbx: 0xA5B7, rcx: 0xF0F0)[Register.rax] == 0xAB)
        #expect(run([0xC4, 0xE2, 0x63, 0xF5, 0xC1], rax: .max, rbx: .max, rcx: .max)[Register.rax] == 0xFFFF_FFFF)
    }

    // BZHI RAX, RBX, RCX: an index of the operand's size or more clears nothing, and sets CF.
    @Test(
        arguments: [(31, 0x7FFF_FFFF, false), (32, 0xFFFF_FFFF, true), (255, 0xFFFF_FFFF, true), (256, 0, false)]
            as [(UInt64, UInt64, Bool)])
    func zeroHighBits(index: UInt64, result: UInt64, carry: Bool) {
        let guest = run([0xC4, 0xE2, 0x70, 0xF5, 0xC3], rbx: .max, rcx: index)  // bzhi eax, ebx, ecx
        #expect(guest[Register.rax] == result)
        #expect((guest.flags & Flag.carry != 0) == carry)
        #expect((guest.flags & Flag.sign != 0) == (result >> 31 != 0))
        #expect((guest.flags & Flag.zero != 0) == (result == 0))
    }

    @Test func extractedFields() {
        // bextr eax, ebx, ecx: all 32 bits, and no bits from beyond the operand.
        #expect(run([0xC4, 0xE2, 0x70, 0xF7, 0xC3], rbx: .max, rcx: 0x2000)[Register.rax] == 0xFFFF_FFFF)
        #expect(run([0xC4, 0xE2, 0x70, 0xF7, 0xC3], rbx: .max, rcx: 0x1F04)[Register.rax] == 0x0FFF_FFFF)
        let none = run([0xC4, 0xE2, 0x70, 0xF7, 0xC3], rbx: .max, rcx: 0x0820)
        #expect(none[Register.rax] == 0)
        #expect(none.flags & Flag.zero != 0)
        #expect(run([0xC4, 0xE2, 0xF0, 0xF7, 0xC3], rbx: .max, rcx: 0x4000)[Register.rax] == .max)  // bextr rax, rbx, rcx
    }

    // BLSI RAX, RBX: CF tells that the source isn't zero.
    @Test func lowestSetBit() {
        let some = run([0xC4, 0xE2, 0xF8, 0xF3, 0xDB], rbx: 0b1010_0000)
        #expect(some[Register.rax] == 0b10_0000)
        #expect(some.flags & (Flag.carry | Flag.zero) == Flag.carry)
        let none = run([0xC4, 0xE2, 0xF8, 0xF3, 0xDB], rax: 5)
        #expect(none[Register.rax] == 0)
        #expect(none.flags & (Flag.carry | Flag.zero) == Flag.zero)
    }

    // CRC32 EAX, BX: two bytes in 16-bit code, four with 66. The check value of "1234" is CRC-32C's.
    @Test func checksumsInSixteenBitCode() {
        var word = Guest(.bits16, [0xF2, 0x0F, 0x38, 0xF1, 0xC3, 0x66, 0xF2, 0x0F, 0x38, 0xF1, 0xC3])
        word[Register.rax] = 0xFFFF_FFFF
        word[Register.rbx] = 0x3433_3231
        #expect(word.execute() == .retired)
        let half = word[Register.rax]
        word[Register.rbx] = 0x3433
        word.processor.rip = UInt64(Guest.code)
        #expect(word.execute() == .retired)
        #expect(word[Register.rax] ^ 0xFFFF_FFFF == 0xF63A_F4EE)
        word[Register.rax] = 0xFFFF_FFFF
        word[Register.rbx] = 0x3433_3231
        #expect(word.execute() == .retired)
        #expect(word[Register.rax] ^ 0xFFFF_FFFF == 0xF63A_F4EE)
        #expect(half != 0xF63A_F4EE ^ 0xFFFF_FFFF)
    }

    // LAHF and SAHF: AH is not SPL, whatever the prefixes.
    @Test func flagsTravelInAH() {
        var load = Guest(.bits64, [0x48, 0x9F])
        load.processor.flags |= Flag.carry | Flag.zero
        let stack = load[Register.rsp]
        #expect(load.execute() == .retired)
        #expect(load[Register.rax] == 0x4300)
        #expect(load[Register.rsp] == stack)
        #expect(run([0x40, 0x9E], rax: 0x8100).flags & Flag.status == Flag.sign | Flag.carry)
    }

    // NEG: the flags are the result's, with LOCK as without.
    @Test func lockedNegation() {
        var guest = Guest(.bits64, [0xF0, 0xF6, 0x1E])  // lock neg byte [rsi]
        guest.memory[Guest.data, 1] = 0x9C
        #expect(guest.execute() == .retired)
        #expect(guest.memory[Guest.data, 1] == 0x64)
        #expect(guest.flags & Flag.status == Flag.carry | Flag.adjust)
    }

    // CMPXCHG ECX, EBX: the register that isn't loaded stays whole.
    @Test func comparedAndExchangedHalves() {
        let fails = run([0x0F, 0xB1, 0xD9], rax: 0x5_0000_0001, rbx: 7, rcx: 0x6_0000_0002)
        #expect(fails[Register.rax] == 2)
        #expect(fails[Register.rcx] == 0x6_0000_0002)
        let succeeds = run([0x0F, 0xB1, 0xD9], rax: 0x5_0000_0002, rbx: 7, rcx: 0x6_0000_0002)
        #expect(succeeds[Register.rax] == 0x5_0000_0002)
        #expect(succeeds[Register.rcx] == 7)
    }

    // A RIP-relative displacement counts from the instruction's end, behind its immediate.
    @Test func relativeAddressesWithImmediates() {
        var shift = Guest(.bits64, [0x0F, 0xA4, 0x05, 0xF8, 0x2F, 0, 0, 8])  // shld [rip+2ff8h], eax, 8: 4000h
        shift[Register.rax] = 0xAB00_0000
        shift.memory[Guest.data, 4] = 0x1122_3344
        #expect(shift.execute() == .retired)
        #expect(shift.memory[Guest.data, 4] == 0x2233_44AB)
        var rotate = Guest(.bits64, [0xC4, 0xE3, 0xFB, 0xF0, 0x05, 0xF6, 0x2F, 0, 0, 8])  // rorx rax, [rip+2ff6h], 8
        rotate.memory[Guest.data, 8] = 0x1122_3344_5566_7788
        #expect(rotate.execute() == .retired)
        #expect(rotate[Register.rax] == 0x8811_2233_4455_6677)
    }

    // Vol. 1, table 4-7: of two NaNs, the first source operand.
    @Test func theFirstOfTwoNaNs() {
        var guest = Guest(.bits64, [0x0F, 0x5C, 0xC1])  // subps xmm0, xmm1
        guest.processor.vectors.xmm[0] = [0xFFFF_FFFF_7FC0_0001, 0x7F80_0001_3F80_0000]
        guest.processor.vectors.xmm[1] = [0x7FFF_FFFF_7FC0_0002, 0x7FC0_0005_FFC0_0000]
        #expect(guest.execute() == .retired)
        #expect(guest.processor.vectors.xmm[0] == [0xFFFF_FFFF_7FC0_0001, 0x7FC0_0001_FFC0_0000])
    }
}
