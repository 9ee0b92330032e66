// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXCases
import VMXSim

/// Which fields a processor has, and which of them VMWRITE takes: on the model and on a machine.
struct FieldComparison {
    private let device: Device
    private let capabilities: Capabilities
    private let readable: Set<VMCSField>

    init(_ device: Device, _ capabilities: Capabilities) throws(Problem) {
        self.device = device
        self.capabilities = capabilities
        readable = Set(try device.launch([], reading: VMCSField.allCases).fields)
    }

    /// A VMCS with nothing but the host's state and this field can't be launched; whether it can be written tells.
    func compare(_ field: VMCSField) throws(Problem) -> Verdict {
        let processor = Fixture.empty(capabilities, memory: TestMemory())
        let model = Self.text(
            reads: processor.vmread(field.rawValue).result == .succeed,
            writes: processor.vmwrite(field.rawValue, 0) == .succeed)
        let answer = try device.launch([FieldValue(field, 0)])
        let machine = Self.text(reads: readable.contains(field), writes: answer.outcome != .refused(field))
        return model == machine ? .agreed(machine) : .differed(model: model, machine: machine)
    }

    private static func text(reads: Bool, writes: Bool) -> String {
        reads ? (writes ? "read and written" : "read only") : (writes ? "written only" : "no such field")
    }
}
