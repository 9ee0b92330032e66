// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Tables are written as little-endian bytes.
extension Array where Element == UInt8 {
    mutating func append<T: FixedWidthInteger>(integer value: T) {
        // An integer has no padding: all of its bytes are initialised.
        unsafe Swift.withUnsafeBytes(of: value.littleEndian) { unsafe append(contentsOf: $0) }
    }

    /// - Precondition: the place is within the array.
    mutating func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        for index in 0..<MemoryLayout<T>.size { self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
    }

    mutating func put(_ bytes: some Sequence<UInt8>, at offset: Int) {
        for (index, byte) in bytes.enumerated() { self[offset + index] = byte }
    }
}

/// Bytes and the guest-physical address that they belong to.
public struct Placed: Equatable, Sendable {
    public let address: UInt64
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8], at address: UInt64) {
        self.address = address
        self.bytes = bytes
    }

    public var range: Range<UInt64> { address..<address + UInt64(bytes.count) }
}
