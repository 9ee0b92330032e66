// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import Testing

@testable import TestMachine

@Suite("Outcomes are checked and compared")
struct OutcomeTests {
    private func outcome(_ change: (inout Outcome) -> Void = { _ in }) throws -> Outcome {
        var outcome = Outcome()
        outcome.end = .status(3)
        outcome.output = Array("4\n".utf8)
        outcome.exits = [
            ExitRecord(.hlt, data: [], ticks: 10), ExitRecord(.irqWindowOpen, data: [], ticks: 30),
            ExitRecord(.hlt, data: [], ticks: 40),
        ]
        outcome.registers.rax = 5
        outcome.slots = [try MemorySlot(slot: 7, base: GuestAddress(0x1000), count: 0x1000)]
        change(&outcome)
        return outcome
    }

    @Test func counted() throws {
        let outcome = try outcome()
        #expect(outcome.exitCounts == ["hlt": 2, "irq_window_open": 1])
        #expect(outcome.ticks == 80)
        #expect(outcome.medianTicks() == 30)
        #expect(outcome.medianTicks("hlt") == 25)
        #expect(outcome.medianTicks("io") == nil)
        #expect(outcome.status == 3)
    }

    @Test func accessesToMSRs() {
        func text(_ exit: Exit) -> String { ExitRecord(exit, data: [], ticks: 0).description }
        #expect(
            text(.readMSR(MSRAccess(index: 0xC000_0102, reason: .filter, written: nil))) == "x86_rdmsr 0xc0000102, filter")
        #expect(
            text(.writeMSR(MSRAccess(index: 0x277, reason: .invalid, written: 2))) == "x86_wrmsr 0x277: 0x2, invalid")
        #expect(text(.readMSR(MSRAccess(index: 1, reason: .other(8), written: nil))) == "x86_rdmsr 0x1, other(8)")
    }

    @Test("what is as expected has no failures, what isn't one each")
    func expectation() throws {
        var expectation = Expectation(end: "status")
        expectation.status = 3
        expectation.output = "4\n"
        expectation.registers = [.rax: 5]
        expectation.exits = ["hlt": 2, "io": 0]
        #expect(expectation.failures(of: try outcome()) == [])

        expectation.end = "hlt"
        expectation.status = 4
        expectation.output = "5\n"
        expectation.registers = [.rax: 6]
        expectation.exits = ["io": 1]
        #expect(
            expectation.failures(of: try outcome()) == [
                "the end is status, expected hlt",
                "the output is \"4\\n\", expected \"5\\n\"",
                "the status is 3, expected 4",
                "rax is 0x5, expected 0x6",
                "the number of io exits is 0, expected 1",
            ])
    }

    @Test("the same run twice has no differences, whatever it cost")
    func same() throws {
        let other = try outcome { $0.exits[0] = ExitRecord(.hlt, data: [], ticks: 99) }
        #expect(Difference.between(try outcome(), other) == [])
        #expect(try outcome().stateDigest == other.stateDigest)
        #expect(try outcome().memoryDigest == other.memoryDigest)
    }

    @Test("each difference is named, memory with its slot and address")
    func different() throws {
        let other = try outcome {
            $0.end = .hlt
            $0.output = [0x35]
            $0.exits.removeLast()
            $0.registers.rax = 6
            $0.specialRegisters.gdt.limit = 7
            $0.fpu.xmm.3.5 = 1
            #expect($0.slots[0].write([1], at: GuestAddress(0x1803)))
        }
        let found = Difference.between(try outcome(), other)
        #expect(
            found.map(\.what) == [
                "output", "end", "hlt exits", "exit 2", "rax", "gdt", "xmm digest", "memory of slot 7 at 0x1803",
            ])
        #expect(found.last?.left == "00 00 00 00 00 00 00 00")
        #expect(found.last?.right == "01 00 00 00 00 00 00 00")
        #expect(try outcome().stateDigest != other.stateDigest)
        #expect(try outcome().memoryDigest != other.memoryDigest)
    }

    @Test("MXCSR isn't compared: stock KVM may not have it")
    func mxcsr() throws {
        let other = try outcome { $0.fpu.mxcsr = 0x1f80 }
        #expect(Difference.between(try outcome(), other) == [])
    }

    @Test("the last bytes of a slot count too")
    func lastByte() throws {
        let one = try MemorySlot(slot: 0, base: GuestAddress(0), count: 4099)
        let other = try MemorySlot(slot: 0, base: GuestAddress(0), count: 4099)
        #expect(Difference.firstDifferentByte(one, other) == nil)
        #expect(other.write([1], at: GuestAddress(4098)))
        #expect(Difference.firstDifferentByte(one, other) == 4098)
    }

    @Test("unusable segments are alike, others differ by what the processor looks at")
    func segments() {
        var one = kvm_segment()
        one.unusable = 1
        one.base = 5
        var other = kvm_segment()
        other.unusable = 1
        #expect(one.summary == other.summary)
        one.unusable = 0
        other.unusable = 0
        #expect(one.summary != other.summary)
        one.base = 0
        one.padding = 3
        #expect(one.summary == other.summary)
        one.l = 1
        #expect(one.summary != other.summary)
    }

    @Test func quotedText() { #expect(quoted([0x34, 0x0a, 0x22, 0x5c, 0x07, 0xff]) == #""4\n\"\\\x07\xff""#) }
}
