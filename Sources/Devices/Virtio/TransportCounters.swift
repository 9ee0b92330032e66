// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What has gone through a device's transport since it was made. Under the lock that the device is used under.
public struct TransportCounters: Equatable, Sendable {
    /// The driver said that there is something in a queue.
    public internal(set) var notifications: UInt64 = 0
    /// Chains given back to the driver.
    public internal(set) var requests: UInt64 = 0
    /// In these chains: what the device could read, and what it wrote.
    public internal(set) var bytesFromGuest: UInt64 = 0
    public internal(set) var bytesToGuest: UInt64 = 0
    public internal(set) var interrupts: UInt64 = 0
    /// How often a rate limiter had nothing left to give, so that what comes next waits.
    public internal(set) var throttled: UInt64 = 0
    /// How often the driver broke the rules, which stops the device until it is reset.
    public internal(set) var failures: UInt64 = 0
}
