// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A timeline as `--json` prints it.
public struct TimelineReport: Encodable, Sendable {
    public struct Exit: Encodable, Sendable {
        public let time: UInt64
        public let vcpu: UInt32
        public let exit: String
        public let what: String
        public let rip: String?
        /// Ticks in the guest before it.
        public let guest: UInt64?
        /// Ticks in the kernel after it; where VM exits aren't known, in KVM_RUN before it.
        public let kernel: UInt64
        public let user: UInt64
        public let cost: UInt64
        public let userSpace: String?
    }

    public let guest: String
    public let device: String
    public let end: String
    /// `simulator` or `tracepoints`: who told of VM exits; `none`: only exits to user space are here.
    public let source: String
    /// Events of the kernel's side that there was no room for.
    public let lostEvents: Int
    public let duration: UInt64
    public let ticks: [String: UInt64]
    public let exits: [Exit]
    public let reasons: [Timeline.ReasonTotal]

    public init(
        _ timeline: Timeline, guest: String, device: String, end: String, source: String, lostEvents: Int
    ) {
        self.guest = guest
        self.device = device
        self.end = end
        self.source = source
        self.lostEvents = lostEvents
        duration = timeline.duration
        ticks = Timeline.Lane.allCases.reduce(into: [:]) { result, lane in
            let ticks = timeline.ticks(lane)
            if ticks > 0 { result[lane.rawValue] = ticks }
        }
        exits = timeline.exits.map {
            Exit(
                time: $0.time, vcpu: $0.vcpu, exit: $0.reason, what: $0.detail,
                rip: $0.rip.map { "0x" + String($0, radix: 16) }, guest: $0.guest, kernel: $0.kernel, user: $0.user,
                cost: $0.cost, userSpace: $0.userSpace)
        }
        reasons = timeline.reasons
    }
}
