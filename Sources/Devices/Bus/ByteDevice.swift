// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A chip on an 8-bit bus: a wider access is one of bytes, from the lowest address on, as the bus makes it.
protocol ByteDevice: BusDevice {
    func readByte(_ offset: UInt64) -> UInt8
    func writeByte(_ offset: UInt64, _ value: UInt8)
}

extension ByteDevice {
    public func read(offset: UInt64, size: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<UInt64(max(0, min(size, 8))) {
            value |= UInt64(readByte(offset &+ index)) << (8 * index)
        }
        return value
    }

    public func write(offset: UInt64, size: Int, value: UInt64) {
        for index in 0..<UInt64(max(0, min(size, 8))) {
            writeByte(offset &+ index, UInt8(truncatingIfNeeded: value >> (8 * index)))
        }
    }
}
