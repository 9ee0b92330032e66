// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The VMX-preemption timer: counts down by one each time a bit of the time-stamp counter changes. SDM vol. 3, 26.5.1.
public struct PreemptionTimer: Sendable, Equatable {
    private let shift: UInt64
    private let startCount: UInt64
    private let start: UInt64

    /// Starts at VM entry.
    public init(value: UInt64, timeStamp: UInt64, _ capabilities: Capabilities) {
        shift = capabilities.preemptionTimerShift
        startCount = value
        start = timeStamp >> shift
    }

    /// What is left, 0 when it has expired.
    public func value(at timeStamp: UInt64) -> UInt64 {
        let passed = (timeStamp >> shift) &- start
        return passed >= startCount ? 0 : startCount - passed
    }

    /// Ticks of the time-stamp counter until it expires.
    public func remaining(at timeStamp: UInt64) -> UInt64 {
        let end = (start &+ startCount) << shift
        return end > timeStamp ? end - timeStamp : 0
    }
}
