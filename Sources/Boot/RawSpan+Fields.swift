// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension RawSpan {
    /// The little-endian integer at an offset, nil if it is not whole within the span.
    func field<T: FixedWidthInteger & BitwiseCopyable>(_ offset: UInt64, _ type: T.Type = T.self) -> T? {
        guard let offset = start(of: offset, count: UInt64(MemoryLayout<T>.size)) else { return nil }
        // Any bytes make an integer.
        return T(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// Bytes of the span, nil if they are not all within it.
    func bytes(_ offset: UInt64, count: UInt64) -> [UInt8]? {
        guard let offset = start(of: offset, count: count) else { return nil }
        return (offset..<offset + Int(count)).map { unsafe unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }

    /// Whether all of a range is within the span, whatever its numbers.
    func contains(_ offset: UInt64, count: UInt64) -> Bool { start(of: offset, count: count) != nil }

    private func start(of offset: UInt64, count: UInt64) -> Int? {
        let size = UInt64(byteCount)
        guard offset <= size, count <= size - offset else { return nil }
        return Int(offset)
    }
}
