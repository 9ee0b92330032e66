// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import TestMachine

/// A run as people read it.
struct RunText {
    private let outcome: Outcome
    private let guest: Guest
    private let device: String
    private let trace: Bool

    init(_ outcome: Outcome, guest: Guest, device: String, trace: Bool) {
        self.outcome = outcome
        self.guest = guest
        self.device = device
        self.trace = trace
    }

    func print() {
        Console.print(Console.coloured(guest.name, .bold) + " on \(device)")
        if trace { printTrace() }
        var table = TextTable(["", ""])
        table.add(["output", quoted(outcome.output)])
        table.add(["end", Self.describe(outcome.end)])
        let exits = outcome.exitCounts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let counts = exits.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        table.add(["exits", "\(outcome.exits.count)" + (counts.isEmpty ? "" : ": \(counts)")])
        table.add([
            "cost", "\(grouped(outcome.ticks)) ticks, median \(outcome.medianTicks().map(grouped) ?? "-") an exit",
        ])
        for part in outcome.state { table.add([part.name, part.value]) }
        for slot in outcome.slots {
            table.add(["slot \(slot.slot)", "\(slot.base)-\(slot.last) digest \(hex(FNV1a.digest(slot)))"])
        }
        table.lines(indent: 2).forEach(Console.print)
    }

    private func printTrace() {
        var table = TextTable(["exit", "", "ticks"], [.right, .left, .right])
        for (index, exit) in outcome.exits.enumerated() {
            table.add(["\(index)", exit.description, grouped(exit.ticks)])
        }
        table.lines(indent: 2).forEach(Console.print)
    }

    static func describe(_ end: Outcome.End) -> String {
        switch end {
        case .hlt: "hlt: the guest halted, with no interrupt to wake it"
        case .status(let status): "status \(status) (\(hex(status)))"
        case .shutdown: "shutdown: the guest triple-faulted"
        case .failEntry: "fail_entry: the processor refused the guest's state"
        case .internalError: "internal_error: the device couldn't go on"
        case .exitLimit: "exit_limit: it had as many exits as it may have"
        case .timeout: "timeout: it ran as long as it may run"
        case .error(let error): "error: \(error)"
        case .other(let name): "\(name): an exit that the test machine has no answer to"
        }
    }
}
