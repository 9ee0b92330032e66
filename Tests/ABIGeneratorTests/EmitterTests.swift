// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ABIGenerator
import Testing

@Suite("Swift is made of tables")
struct EmitterTests {
    private func swift(_ table: String, _ text: String) throws -> String {
        let emitter = try #require(Emitter.all.first { $0.table == table })
        return try emitter.swift(from: text)
    }

    @Test func ioctl() throws {
        let text = try swift("ioctls.def", "LKX_IOCTL(KVM_GET_API_VERSION, SYSTEM)")
        #expect(text.contains("case .getApiVersion: lkx_ioctl_KVM_GET_API_VERSION"))
        #expect(text.contains("case .getApiVersion: \"KVM_GET_API_VERSION\""))
        #expect(text.contains("case .getApiVersion: .system"))
    }

    @Test func vmcsField() throws {
        let text = try swift("vmcs_fields.def", "LKX_VMCS_FIELD(GUEST_RIP, 0x681e, NATURAL, RW)")
        #expect(text.contains("case guestRip = 0x681e"))
        #expect(text.contains("case .guestRip: .natural"))
        #expect(text.contains("case .guestRip: .readWrite"))
    }

    @Test func controlGroups() throws {
        let text = try swift("control_bits.def", "LKX_CONTROL(PIN, NMI_EXITING, 3)\nLKX_CONTROL(PROC, HLT_EXITING, 7)")
        #expect(text.contains("public enum PinControl: UInt8"))
        #expect(text.contains("public enum ProcControl: UInt8"))
        #expect(text.contains("case nmiExiting = 0x3"))
    }

    @Test(
        "what a table can't mean is an error with its line",
        arguments: [
            ("ioctls.def", "LKX_IOCTL(KVM_RUN, CPU)", "1: error: scope 'CPU' is none of SYSTEM, VM, VCPU, DEVICE"),
            (
                "vmcs_fields.def", "LKX_VMCS_FIELD(A, 1, 8, RW)",
                "1: error: width '8' is none of 16, 32, 64, NATURAL"
            ),
            ("vmcs_fields.def", "LKX_VMCS_FIELD(A, 1, 16, W)", "1: error: access 'W' is neither RW nor RO"),
            ("exit_reasons.def", "LKX_EXIT_REASON(A, x)", "1: error: 'x' is not a number"),
            (
                "exit_reasons.def", "LKX_EXIT_REASON(A, 1)\nLKX_EXIT_REASON(A, 2)",
                "2: error: 'a' is already defined by line 1"
            ),
            ("control_bits.def", "LKX_CONTROL(PIN, A, 64)", "1: error: bit 64 is above 63"),
        ])
    func errors(_ table: String, _ text: String, _ message: String) throws {
        let error = #expect(throws: TableError.self) { try swift(table, text) }
        #expect(error?.description == "\(table):\(message)")
    }
}
