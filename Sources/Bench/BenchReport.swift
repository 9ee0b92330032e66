// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// All that was measured, as `--json` prints it and `--from` reads it.
public struct BenchReport: Codable, Equatable, Sendable {
    public struct Device: Codable, Equatable, Sendable {
        public let path: String
        public var measurements: [Measurement]
        /// What couldn't be measured, and why.
        public var problems: [String]

        public init(path: String, measurements: [Measurement] = [], problems: [String] = []) {
            self.path = path
            self.measurements = measurements
            self.problems = problems
        }

        /// The figure of a name.
        public func value(_ name: String) -> Double? { measurement(name)?.value }

        public func measurement(_ name: String) -> Measurement? { measurements.first { $0.name == name } }
    }

    /// The release of the kernel.
    public let kernel: String
    public let rounds: Int
    /// In the order in which they were named; others are compared with the first.
    public let devices: [Device]
    /// How it was measured, and what the figures don't tell.
    public let method: [String]

    public init(kernel: String, rounds: Int, devices: [Device]) {
        self.kernel = kernel
        self.rounds = rounds
        self.devices = devices
        method = Self.method
    }

    /// The device that the targets are for.
    public static let judged = "/dev/rust_kvm"

    /// Names of figures, in the order in which they are shown.
    public var names: [String] {
        var seen: Set<String> = []
        return devices.flatMap(\.measurements).map(\.name).filter { seen.insert($0).inserted }
    }

    /// What the figure of a name was to be and whether it is; nil without a target, or without LiKeX's device.
    public func verdict(_ name: String) -> (target: Target, isMet: Bool?)? {
        guard let target = Target.named(name), let own = devices.first(where: { $0.path == Self.judged }),
            own.measurement(name) != nil
        else { return nil }
        let other = devices.first { $0.path != Self.judged }
        return (target, own.value(name).flatMap { target.isMet(by: $0, other: other?.value(name), own: own.value) })
    }

    static let method = [
        "Each figure is a median. A tick is one of the TSC: in the emulated lab an instruction, not a cycle and not a time.",
        "What an exit costs the hardware, caches and TLBs are not in a tick of the lab: compare figures, don't convert them.",
        "Exits to user space: around the ioctl KVM_RUN in user space. In the kernel: between two RDTSC in the guest, of a batch.",
        "Memory: what is free before and after, less the growth of AnonPages, by the VMs that were made; all share their guest page.",
    ]
}
