// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Pictures

@Suite("VM exits in words")
struct ExitDetailTests {
    struct Case: Sendable {
        let reason: UInt32
        var qualification: UInt64 = 0
        var interruption: UInt32 = 0
        var vectoring: UInt32 = 0
        let name: String
        let text: String
    }

    static let cases: [Case] = [
        Case(reason: 10, name: "CPUID", text: ""),
        Case(reason: 30, qualification: 0x3F8_0000, name: "IO_INSTRUCTION", text: "out 0x3f8 1 byte"),
        Case(reason: 30, qualification: 0x60_0000 | 0x3B, name: "IO_INSTRUCTION", text: "in string rep 0x60 4 bytes"),
        Case(reason: 48, qualification: 0x181, name: "EPT_VIOLATION", text: "read"),
        Case(reason: 48, qualification: 0x83, name: "EPT_VIOLATION", text: "read+write of a page table"),
        Case(reason: 28, qualification: 0x0300, name: "CR_ACCESS", text: "mov cr0, rbx"),
        Case(reason: 28, qualification: 0x0918, name: "CR_ACCESS", text: "mov r9, cr8"),
        Case(reason: 28, qualification: 0x20, name: "CR_ACCESS", text: "clts"),
        Case(reason: 28, qualification: 0x1_0030, name: "CR_ACCESS", text: "lmsw 0x1"),
        Case(reason: 29, qualification: 0x7, name: "DR_ACCESS", text: "mov dr7, rax"),
        Case(reason: 29, qualification: 0x116, name: "DR_ACCESS", text: "mov rcx, dr6"),
        Case(reason: 0, qualification: 0x1234, interruption: 0x8000_0B0E, name: "EXCEPTION_NMI", text: "#PF at 0x1234"),
        Case(reason: 0, interruption: 0x8000_0202, name: "EXCEPTION_NMI", text: "NMI"),
        Case(
            reason: 48, qualification: 2, vectoring: 0x8000_0020, name: "EPT_VIOLATION",
            text: "write while delivering interrupt 32"),
        Case(reason: 9, qualification: 0x28, name: "TASK_SWITCH", text: "selector 0x28"),
        Case(reason: 14, qualification: 0x5000, name: "INVLPG", text: "0x5000"),
        Case(
            reason: 1 << 31 | 33, qualification: 4, name: "ENTRY_FAIL_GUEST_STATE",
            text: "VM entry failed qualification 0x4"),
        Case(reason: 38, name: "exit 38", text: ""),
    ]

    @Test(arguments: cases) func words(_ one: Case) {
        let detail = ExitDetail(
            reason: one.reason, qualification: one.qualification, interruption: one.interruption,
            vectoring: one.vectoring)
        #expect(detail.reason == one.name)
        #expect(detail.text == one.text)
    }
}
