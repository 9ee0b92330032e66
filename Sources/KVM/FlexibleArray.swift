// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// C structs that end in an array of a length known at run time: a header whose first 32 bits count the list.
enum FlexibleArray {
    /// The header, its count set and the rest zero, and the list behind it.
    static func bytes<Element: BitwiseCopyable>(header: Int, list: [Element]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: header + list.count * MemoryLayout<Element>.stride)
        unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe buffer.storeBytes(of: UInt32(list.count), as: UInt32.self)
            unsafe list.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[header...]).copyMemory(from: source)
            }
        }
        return bytes
    }

    /// The header's count, which the kernel may have changed.
    static func count(_ bytes: [UInt8]) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: UInt32.self) }
    }

    /// The first `count` elements of the list.
    static func list<Element: BitwiseCopyable>(_ bytes: [UInt8], header: Int, count: Int) -> [Element] {
        let stride = MemoryLayout<Element>.stride
        return unsafe bytes.withUnsafeBytes { buffer in
            (0..<count).map { unsafe buffer.loadUnaligned(fromByteOffset: header + $0 * stride, as: Element.self) }
        }
    }
}
