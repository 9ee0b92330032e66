// SPDX-License-Identifier: MIT OR GPL-2.0-only
import VMXCases
import VMXSim

/// Gives EPT cases to the model and to a machine.
struct EPTComparison {
    private let device: Device
    private let capabilities: Capabilities

    init(_ device: Device, _ capabilities: Capabilities) throws(Problem) {
        self.device = device
        self.capabilities = capabilities
        for part in EPTGuest.fixed(device.arena) { try device.write(part.words, at: part.offset) }
    }

    func compare(_ test: EPTCase) throws(Problem) -> Verdict {
        if test.variant.of(capabilities) != capabilities { return .otherProcessor(test.variant.name) }
        let run = EPTRun(test, arena: device.arena)
        if let obstacle = EPTRun.obstacle(test, run, capabilities) { return .notRun(obstacle) }
        let model = run.simulate(capabilities)
        let machine = try run.launch(device, capabilities)
        return model.agrees(with: machine)
            ? .agreed("\(machine)") : .differed(model: "\(model)", machine: "\(machine)")
    }
}
