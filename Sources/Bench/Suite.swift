// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// Measures devices in turn.
public struct Suite {
    public struct Options: Sendable {
        /// How often each thing is done whose median counts.
        public var rounds: Int
        /// How many idle VMs to measure beside, ascending. One is measured first, whatever is in here: others are held against it.
        public var idle: [Int]
        /// Groups that are measured; all if empty.
        public var only: [Group]

        public init(rounds: Int = 200, idle: [Int] = [100], only: [Group] = []) {
            self.rounds = rounds
            self.idle = idle
            self.only = only
        }
    }

    /// What is measured together, in this order.
    public enum Group: String, CaseIterable, Sendable {
        case floor, exit, kernel, fault, slot, life, idle, module

        /// What people are told.
        var about: String {
            switch self {
            case .floor: "system calls"
            case .exit: "exits to user space"
            case .kernel: "exits that the kernel handles"
            case .fault: "EPT faults"
            case .slot: "slots"
            case .life: "life cycle"
            case .idle: "idle VMs"
            case .module: "modules"
            }
        }
    }

    private let options: Options
    private let host: BenchHost
    private let progress: (String) -> Void

    /// - Parameter progress: called with what is measured now.
    public init(_ options: Options, host: BenchHost, progress: @escaping (String) -> Void) {
        self.options = options
        self.host = host
        self.progress = progress
    }

    /// Group by group, each on all devices one after the other: what changes in a machine over time is the same for all.
    public func run(_ devices: [BenchDevice]) -> BenchReport {
        var reports = devices.map { BenchReport.Device(path: $0.path) }
        for group in Group.allCases where options.only.isEmpty || options.only.contains(group) {
            for (index, device) in devices.enumerated() {
                progress("\(device.path): \(group.about)")
                do throws(KVMError) {
                    reports[index].measurements += try measure(group, device)
                } catch {
                    reports[index].problems.append("\(group.about): \(error)")
                }
            }
        }
        return BenchReport(kernel: host.kernel, rounds: options.rounds, devices: reports)
    }

    private func measure(_ group: Group, _ device: BenchDevice) throws(KVMError) -> [Measurement] {
        let exits = ExitBench(device: device, rounds: options.rounds)
        // A life costs a thousand times what an exit does.
        let lives = LifeCycleBench(device: device, rounds: max(options.rounds / 8, 1))
        return switch group {
        case .floor: try exits.floor()
        case .exit: try exits.userExits()
        case .kernel: try exits.kernelExits()
        case .fault: try FaultBench(device: device, rounds: options.rounds).faults()
        case .slot: try SlotBench(device: device, rounds: lives.rounds).slots()
        case .life: try lives.lives(idle: 0) + lives.livesAtOnce()
        case .idle:
            try IdleBench(
                device: device, host: host, rounds: lives.rounds, counts: [1] + options.idle.filter { $0 > 1 }
            ).measure {
                progress("\(device.path): \($0)")
            }
        case .module: ModuleSize(device: device, host: host).measure()
        }
    }
}
