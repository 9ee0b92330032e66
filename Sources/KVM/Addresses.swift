// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// An address in a guest's physical memory.
public struct GuestAddress: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public init(_ value: UInt64) { rawValue = value }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// In hexadecimal, `0x1000`.
    public var description: String { "0x" + String(rawValue, radix: 16) }
}

/// An address in this process, as KVM is told of it.
public struct HostAddress: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }
}
