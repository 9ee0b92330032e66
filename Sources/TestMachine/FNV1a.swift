// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// The 64-bit FNV-1a hash: enough to tell two runs apart, and short to print.
public struct FNV1a: Sendable {
    public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    public init() {}

    public mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }

    /// Adds a number, low byte first.
    public mutating func add(_ number: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { add(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    public mutating func add(_ bytes: RawSpan) {
        for index in bytes.byteOffsets { add(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
    }

    /// A number for all of a slot's bytes.
    public static func digest(_ slot: MemorySlot) -> UInt64 {
        var hash = FNV1a()
        slot.withBytes { hash.add($0) }
        return hash.value
    }

    public static func digest(_ bytes: [UInt8]) -> UInt64 {
        var hash = FNV1a()
        for byte in bytes { hash.add(byte) }
        return hash.value
    }
}
