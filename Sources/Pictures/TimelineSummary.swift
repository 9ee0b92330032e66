// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestMachine

extension Timeline {
    /// All exits of one reason together.
    public struct ReasonTotal: Equatable, Sendable, Encodable {
        public let reason: String
        public let count: Int
        /// Ticks that they kept guests from running.
        public let cost: UInt64
        public let medianCost: UInt64
    }

    /// Each reason's exits, the dearest first.
    public var reasons: [ReasonTotal] {
        Dictionary(grouping: exits, by: \.reason).map { reason, exits in
            let costs = exits.map(\.cost).sorted()
            return ReasonTotal(
                reason: reason, count: exits.count, cost: costs.reduce(0, +), medianCost: costs[costs.count / 2])
        }.sorted { ($1.cost, $0.reason) < ($0.cost, $1.reason) }
    }

    /// `12 VM exits, 3 of them to user space, in 12,345 ticks: guest 10 %, kernel 60 %, user space 30 %`
    public var summary: String {
        let toUser = exits.reduce(0) { $0 + ($1.userSpace != nil ? 1 : 0) }
        let what =
            hasKernelEvents
            ? "\(counted(exits.count, "exit")), \(toUser) to user space"
            : counted(exits.count, "exit") + " to user space"
        let lanes: [(String, Lane)] =
            hasKernelEvents
            ? [("guest", .guest), ("kernel", .kernel), ("user space", .user)]
            : [("KVM_RUN", .run), ("user space", .user)]
        let shares = lanes.map { "\($0.0) \(percent(ticks($0.1), of: duration))" }.joined(separator: ", ")
        return "\(what), in \(counted(duration, "tick")): \(shares)"
    }
}

/// `12.3 %`
func percent(_ part: UInt64, of whole: UInt64) -> String {
    guard whole > 0 else { return "-" }
    let tenths = Int((Double(part) * 1000 / Double(whole)).rounded())
    return "\(tenths / 10).\(tenths % 10) %"
}
