// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Comparisons as `--json` prints them.
public struct ComparisonReport: Encodable, Sendable {
    public struct Entry: Encodable, Sendable {
        public let guest: String
        /// A verdict of `Comparison.Verdict`, or `skipped`.
        public let verdict: String
        /// Features for the lack of which it is skipped.
        public let missing: [String]?
        public let differences: [Difference]
        public let runs: [RunReport]
        public let errors: [String]

        public init(_ comparison: Comparison) {
            guest = comparison.guest.name
            verdict = comparison.verdict.rawValue
            missing = nil
            differences = comparison.differences
            let sides = [comparison.left, comparison.right]
            runs = sides.compactMap { run in
                run.outcome.map { RunReport($0, guest: comparison.guest, device: run.device, failures: run.failures) }
            }
            errors = sides.compactMap { if case .failure(let error) = $0.result { error.description } else { nil } }
        }

        public init(skipped guest: Guest, missing: [String]) {
            self.guest = guest.name
            verdict = "skipped"
            self.missing = missing
            differences = []
            runs = []
            errors = []
        }
    }

    public let devices: [String]
    public private(set) var guests: [Entry] = []
    /// Whether every guest that wasn't skipped did the same on both devices, and what it must.
    public private(set) var same = true

    public init(devices: [String]) { self.devices = devices }

    public mutating func add(_ entry: Entry) {
        guests.append(entry)
        if entry.verdict != Comparison.Verdict.same.rawValue, entry.verdict != "skipped" { same = false }
    }

    /// Guests with each verdict.
    public var counts: [String: Int] { guests.reduce(into: [:]) { $0[$1.verdict, default: 0] += 1 } }
}
