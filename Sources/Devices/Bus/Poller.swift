// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What a descriptor is ready for, or is watched for.
public struct PollEvents: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let read = PollEvents(rawValue: 1)
    public static let write = PollEvents(rawValue: 2)
    /// An error, or the other side is gone; watched for always.
    public static let hangUp = PollEvents(rawValue: 4)
}

/// The poll loop, as devices see it. It is level-triggered: a descriptor that stays ready is told again.
public protocol Poller: AnyObject {
    /// Calls `source.ready` when a descriptor is. A descriptor that is watched already gets these events instead of its former ones;
    /// with none it stays, for `hangUp` only.
    func watch(_ descriptor: Int32, _ events: PollEvents, _ source: any PollSource)
    /// Forgets a descriptor; one that isn't watched is none of anybody's business. Called before it is closed.
    func unwatch(_ descriptor: Int32)
    /// Calls `source.wake` once, some nanoseconds from now. A source has one such time: a later call replaces it.
    func wake(_ source: any PollSource, after nanoseconds: UInt64)
}

/// Who a poll loop tells.
public protocol PollSource: AnyObject {
    func ready(_ descriptor: Int32, _ events: PollEvents)
    func wake()
}
