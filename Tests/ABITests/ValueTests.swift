// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing

@Suite("Numbers and names in Swift are those in C")
struct ValueTests {
    private func value(
        _ table: String, _ name: String, _ value: some BinaryInteger, _ third: String = "", _ fourth: String = ""
    ) -> CView.Value { CView.Value(table: table, name: name, value: UInt64(value), third: third, fourth: fourth) }

    @Test func ioctls() {
        let swift = Ioctl.allCases.map { value("ioctls", $0.name, $0.request, "\($0.scope)".uppercased()) }
        #expect(Set(swift) == CView.table("ioctls"))
        #expect(Ioctl.run.request == 0xae80)
        #expect(Ioctl.allCases.allSatisfy { Ioctl(request: $0.request)?.request == $0.request })
    }

    @Test func capabilities() {
        let swift = Capability.allCases.map { value("capabilities", $0.name, $0.number) }
        #expect(Set(swift) == CView.table("capabilities"))
        #expect(Capability.userMemory.number == 3)
    }

    @Test func kvmExits() {
        let swift = KVMExit.allCases.map { value("kvm_exits", $0.name, $0.number) }
        #expect(Set(swift) == CView.table("kvm_exits"))
        #expect(KVMExit(number: 5) == .hlt)
        #expect(KVMExit(number: 9999) == nil)
    }

    @Test func vmcsFields() {
        let widths: [VMCSFieldWidth: String] = [.bits16: "16", .bits32: "32", .bits64: "64", .natural: "NATURAL"]
        let swift = VMCSField.allCases.map {
            value("vmcs_fields", $0.name, $0.rawValue, widths[$0.width] ?? "?", $0.access == .readOnly ? "RO" : "RW")
        }
        #expect(Set(swift) == CView.table("vmcs_fields"))
    }

    @Test("width and access agree with the encoding (SDM vol. 3, appendix B)", arguments: VMCSField.allCases)
    func encoding(_ field: VMCSField) {
        let widths: [VMCSFieldWidth] = [.bits16, .bits64, .bits32, .natural]
        #expect(field.width == widths[Int(field.rawValue >> 13 & 3)])
        #expect((field.access == .readOnly) == (field.rawValue >> 10 & 3 == 1))
    }

    @Test func exitReasons() {
        let swift = VMXExitReason.allCases.map { value("exit_reasons", $0.name, $0.rawValue) }
        #expect(Set(swift) == CView.table("exit_reasons"))
        #expect(VMXExitReason(rawValue: 12) == .hlt)
    }

    @Test func controlBits() {
        let swift =
            PinControl.allCases.map { value("control_bits", $0.name, $0.rawValue, "PIN") }
            + ProcControl.allCases.map { value("control_bits", $0.name, $0.rawValue, "PROC") }
            + Proc2Control.allCases.map { value("control_bits", $0.name, $0.rawValue, "PROC2") }
            + ExitControl.allCases.map { value("control_bits", $0.name, $0.rawValue, "EXIT") }
            + EntryControl.allCases.map { value("control_bits", $0.name, $0.rawValue, "ENTRY") }
        #expect(Set(swift) == CView.table("control_bits"))
        #expect(ProcControl.hltExiting.mask == 0x80)
    }

    @Test func msrs() {
        let swift = ModelSpecificRegister.allCases.map { value("msrs", $0.name, $0.rawValue) }
        #expect(Set(swift) == CView.table("msrs"))
        #expect(ModelSpecificRegister.ia32Efer.rawValue == 0xc000_0080)
    }
}
