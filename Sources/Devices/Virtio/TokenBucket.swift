// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A rate: so many units a second, and so many more at once after a time of rest.
///
/// What is taken may be more than is there, once: then the next one waits until it is paid back. So no single request is ever too
/// large, and the rate over time is what was asked for.
public struct TokenBucket: Sendable {
    /// Units a second, at least 1.
    public let rate: UInt64
    /// How many can be saved.
    public let burst: UInt64
    /// In units of 1/10^9: rate times nanoseconds.
    private var tokens: Int128
    private var last: UInt64

    private static let unit: Int128 = 1_000_000_000

    public init(rate: UInt64, burst: UInt64, now: UInt64) {
        // Within 127 bits whatever the time is.
        self.rate = min(max(1, rate), 1 << 62)
        self.burst = max(1, burst)
        tokens = Int128(self.burst) * Self.unit
        last = now
    }

    private mutating func refill(_ now: UInt64) {
        // A clock that stands still or goes back adds nothing.
        guard now > last else { return }
        tokens = min(tokens + Int128(now - last) * Int128(rate), Int128(burst) * Self.unit)
        last = now
    }

    /// Whether anything may be taken now: 0, or how many nanoseconds there are to wait.
    public mutating func delay(_ now: UInt64) -> UInt64 {
        refill(now)
        guard tokens <= 0 else { return 0 }
        return UInt64(clamping: -tokens / Int128(rate) + 1)
    }

    public mutating func take(_ count: UInt64) { tokens -= Int128(count) * Self.unit }
}

/// How much a device may do: bytes and operations a second, each if it is limited.
public struct RateLimiter {
    public var bytes: TokenBucket?
    public var operations: TokenBucket?
    private let clock: () -> UInt64

    /// - Parameter clock: nanoseconds, from anywhere on.
    public init(bytes: TokenBucket? = nil, operations: TokenBucket? = nil, clock: @escaping () -> UInt64 = Host.now) {
        (self.bytes, self.operations, self.clock) = (bytes, operations, clock)
    }

    /// 0 if something may be done now, else how many nanoseconds there are to wait.
    mutating func delay() -> UInt64 {
        guard bytes != nil || operations != nil else { return 0 }
        let now = clock()
        return max(bytes?.delay(now) ?? 0, operations?.delay(now) ?? 0)
    }

    /// One operation of so many bytes was done.
    mutating func take(bytes count: Int) {
        bytes?.take(UInt64(count))
        operations?.take(1)
    }
}
