// SPDX-License-Identifier: MIT OR GPL-2.0-only
import FoundationEssentials
import KVM

/// A run as `--json` prints it.
public struct RunReport: Encodable, Sendable {
    public struct Exit: Encodable, Sendable {
        public let name: String
        public let what: String
        public let ticks: UInt64
    }

    public struct Slot: Encodable, Sendable {
        public let slot: UInt32
        public let base: String
        public let size: Int
        public let digest: String
    }

    public let guest: String
    public let device: String
    public let end: String
    public let error: String?
    public let status: UInt32?
    public let output: String
    public let exitCounts: [String: Int]
    public let exits: [Exit]
    public let ticks: UInt64
    public let medianTicks: [String: UInt64]
    public let state: [String: String]
    public let memory: [Slot]
    /// What guests.json expects and didn't happen; nil when it wasn't checked.
    public let failures: [String]?

    public init(_ outcome: Outcome, guest: Guest, device: String, failures: [String]?) {
        self.guest = guest.name
        self.device = device
        end = outcome.end.name
        if case .error(let reason) = outcome.end { error = reason.description } else { error = nil }
        status = outcome.status
        output = String(decoding: outcome.output, as: UTF8.self)
        exitCounts = outcome.exitCounts
        exits = outcome.exits.map { Exit(name: $0.name, what: $0.description, ticks: $0.ticks) }
        ticks = outcome.ticks
        medianTicks = outcome.exitCounts.keys.reduce(into: [:]) { $0[$1] = outcome.medianTicks($1) }
        state = outcome.state.reduce(into: [:]) { $0[$1.name] = $1.value }
        memory = outcome.slots.map { slot in
            Slot(
                slot: slot.slot, base: slot.base.description, size: slot.count, digest: hex(FNV1a.digest(slot)))
        }
        self.failures = failures
    }
}

/// What `--json` prints: keys in alphabetical order, so that two of them can be compared.
public func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}
