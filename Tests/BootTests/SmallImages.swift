// SPDX-License-Identifier: MIT OR GPL-2.0-only
@testable import Boot

/// A bzImage of two kilobytes of setup and as much of the rest, right in every field, for tests to spoil.
struct SmallBzImage {
    var bytes: [UInt8]
    static let setupSize = 5 * 512
    static let partSize = 0x800

    init() {
        bytes = [UInt8](repeating: 0xCC, count: Self.setupSize + Self.partSize)
        for index in 0x1F1..<0x270 { bytes[index] = 0 }
        put(UInt8(4), 0x1F1)
        put(UInt32(Self.partSize / 16), 0x1F4)
        put(UInt16(0xAA55), 0x1FE)
        put([0xEB, 0x6A] + Array("HdrS".utf8), 0x200)
        put(UInt16(0x20F), 0x206)
        put(UInt16(0x300 - 0x200), 0x20E)
        put(Array("6.66-test\0".utf8), 0x300)
        put(UInt8(0x81), 0x211)
        put(UInt32(0x7FFF_FFFF), 0x22C)
        put(UInt32(0x20_0000), 0x230)
        put(UInt8(1), 0x234)
        put(UInt16(0x7F), 0x236)
        put(UInt32(2047), 0x238)
        put(UInt32(0x300), 0x248)
        put(UInt32(0x400), 0x24C)
        put(UInt64(0x100_0000), 0x258)
        put(UInt32(0x40_0000), 0x260)
    }

    mutating func put(_ value: some FixedWidthInteger, _ offset: Int) { bytes.put(value, at: offset) }
    mutating func put(_ values: [UInt8], _ offset: Int) { bytes.put(values, at: offset) }

    func with(_ value: some FixedWidthInteger, at offset: Int) -> SmallBzImage {
        var copy = self
        copy.put(value, offset)
        return copy
    }

    func parse() throws(ImageError) -> BzImage { try bytes.readBzImage() }
}

/// An ELF kernel of two segments and a note, right in every field, for tests to spoil.
struct SmallELF {
    var bytes: [UInt8]
    /// Of the program headers.
    static let code = 64
    static let data = 64 + 56
    static let note = 64 + 112

    init() {
        bytes = [UInt8](repeating: 0, count: 0x400)
        bytes.put([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1], at: 0)
        bytes.put(UInt16(2), at: 16)
        bytes.put(UInt16(62), at: 18)
        bytes.put(UInt64(0x100_0010), at: 24)
        bytes.put(UInt64(64), at: 32)
        bytes.put(UInt16(56), at: 54)
        bytes.put(UInt16(3), at: 56)
        header(
            Self.code, 1, offset: 0x200, virtual: 0xFFFF_FFFF_8100_0000, physical: 0x100_0000, file: 0x100,
            memory: 0x100)
        header(
            Self.data, 1, offset: 0x300, virtual: 0xFFFF_FFFF_8120_0000, physical: 0x120_0000, file: 0x80,
            memory: 0x2000)
        header(Self.note, 4, offset: 0x380, virtual: 0, physical: 0, file: 0x28, memory: 0x28)
        // A note of another's, then Xen's.
        bytes.put([4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0] + Array("GNU\0".utf8) + [1, 2], at: 0x380)
        bytes.put([4, 0, 0, 0, 4, 0, 0, 0, 18, 0, 0, 0] + Array("Xen\0".utf8) + [0x20, 0, 0, 1], at: 0x380 + 20)
    }

    mutating func header(
        _ at: Int, _ type: UInt32, offset: UInt64, virtual: UInt64, physical: UInt64, file: UInt64, memory: UInt64
    ) {
        bytes.put(type, at: at)
        for (index, value) in [offset, virtual, physical, file, memory, 4].enumerated() {
            bytes.put(value, at: at + 8 + 8 * index)
        }
    }

    func with(_ value: some FixedWidthInteger, at offset: Int) -> SmallELF {
        var copy = self
        copy.bytes.put(value, at: offset)
        return copy
    }

    func parse() throws(ImageError) -> ELFKernel { try bytes.readELF() }
}

/// A span of any array's bytes is unsafe to Swift, for elements may have padding; bytes have none.
extension Array where Element == UInt8 {
    func field<T: FixedWidthInteger & BitwiseCopyable>(_ offset: UInt64, _ type: T.Type = T.self) -> T? {
        unsafe span.bytes.field(offset, type)
    }

    func readBzImage() throws(ImageError) -> BzImage { unsafe try BzImage(span.bytes) }
    func readELF() throws(ImageError) -> ELFKernel { unsafe try ELFKernel(span.bytes) }
    func readKernel() throws(ImageError) -> KernelImage { unsafe try KernelImage(span.bytes) }
}
