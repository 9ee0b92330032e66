// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// One guest on two devices, and what differs.
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
        self.guest = guest
        self.left = try Self.run(guest, image, left, cpuid, progress)
        self.right = try Self.run(guest, image, right, cpuid, progress)
        if let one = self.left.outcome, let other = self.right.outcome {
            differences = Difference.between(one, other)
        } else {
            differences = []
        }
    }

    /// A device that refuses is a result; settings that are wrong are an error of both.
    private static func run(
        _ guest: Guest, _ image: [UInt8], _ system: borrowing System, _ cpuid: CPUIDTable,
        _ progress: @escaping (String, Int) -> Void
    ) throws(MachineError) -> Run {
        let path = system.path
        do throws(MachineError) {
            // The machine is gone when this returns: two devices may not be able to use VMX at once.
            var machine = try Machine(guest, image: image, on: system, cpuid: cpuid)
            let outcome = try machine.run { progress(path, $0) }
            let failures = guest.expectation?.failures(of: outcome) ?? []
            return Run(device: path, result: .success(outcome), failures: failures)
        } catch {
            guard case .device = error else { throw error }
            return Run(device: path, result: .failure(error), failures: [])
        }
    }
}
