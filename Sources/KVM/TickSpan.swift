// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// From one value of this machine's TSC to a later one.
public struct TickSpan: Equatable, Sendable {
    public let begin: UInt64
    public let end: UInt64

    public init(begin: UInt64, end: UInt64) {
        self.begin = begin
        // Two processors' counters may differ by a few ticks.
        self.end = max(begin, end)
    }

    public var ticks: UInt64 { end - begin }
}
