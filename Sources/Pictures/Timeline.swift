// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM
public import TestMachine

/// What vCPUs did over time: in the guest, in the host's kernel, in user space. Times are ticks since the first KVM_RUN.
public struct Timeline: Sendable {
    public enum Lane: String, Sendable, CaseIterable, Encodable {
        case guest
        case kernel
        case user
        /// In KVM_RUN, where nobody tells guest and kernel apart.
        case run
    }

    /// A stretch of time, and the exit that it is owed to: a guest's ends with it, a kernel's or user space's follows it.
    public struct Segment: Equatable, Sendable {
        public let vcpu: UInt32
        public let lane: Lane
        public let time: TickSpan
        public let cause: String
    }

    /// A VM exit, or, where those aren't known, an exit to user space.
    public struct Exit: Equatable, Sendable {
        public let time: UInt64
        public let vcpu: UInt32
        public let reason: String
        public internal(set) var detail: String
        public let rip: UInt64?
        /// What came of it in user space; nil where the kernel went on by itself.
        public internal(set) var userSpace: String?
        /// Ticks in the guest before it; nil where that isn't known. Then `kernel` is all of KVM_RUN.
        public let guest: UInt64?
        /// Ticks in the kernel until the guest went on, and in user space.
        public internal(set) var kernel: UInt64 = 0
        public internal(set) var user: UInt64 = 0

        /// Ticks that it kept the guest from running.
        public var cost: UInt64 { (guest == nil ? 0 : kernel) + user }
    }

    /// A call of KVM_RUN.
    public struct Run: Sendable {
        public let time: TickSpan
        /// What it came back with, `io` and `io out 0x3f8 1 byte: 34`; nil where it came back without an exit.
        public let exit: (name: String, text: String)?

        public init(time: TickSpan, exit: (name: String, text: String)? = nil) {
            self.time = time
            self.exit = exit
        }
    }

    public private(set) var exits: [Exit] = []
    public private(set) var segments: [Segment] = []
    /// Whether exits are VM exits, and guest and kernel are told apart.
    public let hasKernelEvents: Bool

    public var vcpus: [UInt32] { Set(segments.map(\.vcpu)).sorted() }
    public var duration: UInt64 { segments.map(\.time.end).max() ?? 0 }

    public func ticks(_ lane: Lane) -> UInt64 { segments.reduce(0) { $1.lane == lane ? $0 + $1.time.ticks : $0 } }

    /// Of a guest of the test machine.
    public init(_ outcome: Outcome, events: [KernelEvent]?) {
        let runs =
            outcome.exits.map { Run(time: $0.time, exit: ($0.name, $0.description)) }
            + outcome.otherRuns.map { Run(time: $0) }
        self.init(runs: [0: runs], events: events)
    }

    /// - Parameters:
    ///   - runs: of each vCPU.
    ///   - events: of the kernel's side, in the order of their times; nil where it tells of none.
    public init(runs: [UInt32: [Run]], events: [KernelEvent]?) {
        hasKernelEvents = events != nil
        let origin = runs.values.joined().map(\.time.begin).min() ?? 0
        for (vcpu, runs) in runs.sorted(by: { $0.key < $1.key }) {
            var builder = TimelineBuilder(vcpu: vcpu, origin: origin)
            let sorted = runs.sorted { $0.time.begin < $1.time.begin }
            if let events {
                builder.add(sorted, events.filter { $0.vcpu == vcpu }[...])
            } else {
                builder.add(sorted)
            }
            exits += builder.exits
            segments += builder.segments
        }
        exits.sort { ($0.time, $0.vcpu) < ($1.time, $1.vcpu) }
    }
}
