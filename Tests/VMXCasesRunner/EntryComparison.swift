// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXCases
import VMXSim

/// Gives VM-entry cases to the model and to a machine.
struct EntryComparison {
    private let device: Device
    private let capabilities: Capabilities
    private let host: [FieldValue]

    /// Beyond what cases name of memory there is the empty EPT of their guests, at the place that `Fixture.eptp` says.
    private static let cleared = [UInt64](repeating: 0, count: 0x12000 / 8)

    init(_ device: Device, _ capabilities: Capabilities) throws(Problem) {
        self.device = device
        self.capabilities = capabilities
        // A guest whose EPT is empty leaves at its first instruction.
        try device.write([UInt64](repeating: 0, count: 512), at: Fixture.eptp & ~0xFFF)
        let base = EntryCase(base: .long64, changes: [], expected: [])
        let answer = try device.launch(base.fields(at: device.arena, capabilities))
        guard answer.outcome == .exited, answer[.exitReason] >> 31 == 0 else {
            throw Problem("the plain 64-bit guest isn't entered: \(EntryResult(answer))")
        }
        host = answer.hostFields
    }

    /// - Parameter isRandom: the case is on no list, but may be like those that are.
    func compare(_ test: EntryCase, isRandom: Bool = false) throws(Problem) -> Verdict {
        if let obstacle = test.obstacle { return .notRun(obstacle) }
        if let fatal = KnownDifferences.fatal.first(where: { $0.name == test.name }) { return .notRun(fatal.reason) }
        if test.variant.of(capabilities) != capabilities { return .otherProcessor(test.variant.name) }
        let fields = test.fields(at: device.arena, capabilities)
        let model = EntryResult.simulate(host + fields, test.words(at: device.arena), capabilities)
        if test.spoilsTheHost, !model.result.isVMfail { return .otherProcessor("that refuses such a host state") }

        try device.write(Self.cleared, at: 0)
        for (address, value) in test.memory { try device.write([value], at: address) }
        let answer = try device.launch(fields)
        let machine = EntryResult(answer)
        if isRandom, machine != model.result,
            let why = KnownDifferences.explanation(fields, model: model, machine: machine)
        {
            return .explained(why)
        }
        let others = model.refusals.count > 1 ? model.refusals.map { EntryResult($0) } : []
        if machine == model.result || others.contains(machine) {
            if case .refused(let field) = machine { return .otherProcessor("with \(field?.name ?? "another field")") }
            return .agreed(machine == .entered ? "entered, then \(answer.exit)" : "\(machine)")
        }
        let reasons = model.refusals.map(\.description).joined(separator: "; ")
        return .differed(
            model: "\(model.result)" + (reasons.isEmpty ? "" : " (\(reasons))"),
            machine: machine == .entered ? "entered, then \(answer.exit)" : "\(machine)")
    }
}
