// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestMachine

/// A timeline as lines of text.
public struct TimelineText {
    /// A line for each exit.
    public let lines: [String]
    /// A line for each reason.
    public let totals: [String]

    public init(_ timeline: Timeline) {
        lines = timeline.hasKernelEvents ? Self.full(timeline) : Self.plain(timeline)
        var table = TextTable(["exit", "count", "cost", "share", "median"], [.left, .right, .right, .right, .right])
        for total in timeline.reasons {
            table.add([
                total.reason, "\(total.count)", grouped(total.cost), percent(total.cost, of: timeline.duration),
                grouped(total.medianCost),
            ])
        }
        totals = table.lines()
    }

    private static func full(_ timeline: Timeline) -> [String] {
        var table = TextTable(
            ["time", "vCPU", "exit", "what", "rip", "guest", "kernel", "user", "to user space"],
            [.right, .right, .left, .left, .right, .right, .right, .right, .left])
        for exit in timeline.exits {
            table.add([
                grouped(exit.time), "\(exit.vcpu)", exit.reason, exit.detail, exit.rip.map { hex($0) } ?? "-",
                grouped(exit.guest ?? 0), grouped(exit.kernel), exit.userSpace == nil ? "-" : grouped(exit.user),
                exit.userSpace ?? "",
            ])
        }
        return table.lines()
    }

    private static func plain(_ timeline: Timeline) -> [String] {
        var table = TextTable(
            ["time", "vCPU", "exit", "what", "KVM_RUN", "user"], [.right, .right, .left, .left, .right, .right])
        for exit in timeline.exits {
            table.add([
                grouped(exit.time), "\(exit.vcpu)", exit.reason, exit.detail, grouped(exit.kernel), grouped(exit.user),
            ])
        }
        return table.lines()
    }
}
