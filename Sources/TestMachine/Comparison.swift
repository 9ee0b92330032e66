// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// One guest on two devices, and what differs. More devices than two are compared with the first, pair by pair.
public struct Comparison {
    public enum Verdict: String, CaseIterable, Encodable, Sendable {
        case same
        case different
        /// The devices agree, but the guest didn't do what guests.json expects.
        case unexpected
        /// A device refused to run it.
        case failed
    }

    public struct Run {
        public let device: String
        /// What happened, or why it couldn't.
        public let result: Result<Outcome, MachineError>
        /// What guests.json expects and didn't happen.
        public let failures: [String]

        public var outcome: Outcome? { try? result.get() }
    }

    public let guest: Guest
    public let left: Run
    public let right: Run
    public let differences: [Difference]

    public var verdict: Verdict {
        if left.outcome == nil || right.outcome == nil { return .failed }
        if !differences.isEmpty { return .different }
        return left.failures.isEmpty && right.failures.isEmpty ? .same : .unexpected
    }

    /// Runs a guest on two devices, one after the other, with the same CPUID.
    ///
    /// - Parameter progress: called with the device and the number of exits so far, once a second or less often.
    public init(
        _ guest: Guest, image: [UInt8], _ left: borrowing System, _ right: borrowing System, cpuid: CPUIDTable,
        progress: @escaping (String, Int) -> Void = { _, _ in }
    ) throws(MachineError) {
        self.init(
            guest, try Run(of: guest, image: image, on: left, cpuid: cpuid, progress: progress),
            try Run(of: guest, image: image, on: right, cpuid: cpuid, progress: progress))
    }

    /// Compares runs of one guest that were made before.
    public init(_ guest: Guest, _ left: Run, _ right: Run) {
        self.guest = guest
        self.left = left
        self.right = right
        if let one = self.left.outcome, let other = self.right.outcome {
            differences = Difference.between(one, other)
        } else {
            differences = []
        }
    }

}

extension Comparison.Run {
    public enum Stops: Sendable {
        case none
        /// What the exit began is finished before it goes on.
        case finished
        /// It goes on in a new VM.
        case moved
    }

    /// Runs a guest. A device that refuses is a result; settings that are wrong are an error of every device.
    ///
    /// - Parameters:
    ///   - stops: what happens to it at each of its exits.
    ///   - progress: called with the device and the number of exits so far, once a second or less often.
    public init(
        of guest: Guest, image: [UInt8], on system: borrowing System, cpuid: CPUIDTable, stops: Stops = .none,
        progress: @escaping (String, Int) -> Void = { _, _ in }
    ) throws(MachineError) {
        let path = stops == .moved ? "\(system.path), moved" : system.path
        do throws(MachineError) {
            // The machine is gone when this returns: two devices may not be able to use VMX at once.
            var machine = try Machine(guest, image: image, on: system, cpuid: cpuid)
            let outcome =
                try stops == .none
                ? machine.run { progress(path, $0) }
                : machine.run(stoppingOn: system, moves: stops == .moved) { progress(path, $0) }
            let failures = guest.expectation?.failures(of: outcome) ?? []
            self.init(device: path, result: .success(outcome), failures: failures)
        } catch {
            guard case .device = error else { throw error }
            self.init(device: path, result: .failure(error), failures: [])
        }
    }
}
