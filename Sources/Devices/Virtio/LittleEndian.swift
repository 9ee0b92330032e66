// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Array where Element == UInt8 {
    /// Appends an integer, lowest byte first.
    mutating func append<Number: FixedWidthInteger>(little number: Number) {
        for index in 0..<MemoryLayout<Number>.size { append(UInt8(truncatingIfNeeded: number >> (8 * Number(index)))) }
    }

    /// The integer at an offset; bytes beyond the end are zero.
    func little<Number: FixedWidthInteger & UnsignedInteger>(_ offset: Int, as type: Number.Type = Number.self)
        -> Number
    {
        var value: Number = 0
        for index in 0..<MemoryLayout<Number>.size where offset + index < count {
            value |= Number(self[offset + index]) << (8 * Number(index))
        }
        return value
    }
}
