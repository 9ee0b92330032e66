// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A part of a kernel's file and the guest memory that it belongs to.
public struct Segment: Equatable, Sendable {
    /// Where it begins in the file, and its bytes there. They are within the file.
    public var fileOffset: UInt64
    public var fileSize: UInt64
    /// Guest-physical address of the first byte.
    public var address: UInt64
    /// Bytes in memory, never fewer than in the file; the rest is to be zero, as a new guest's memory is.
    public var memorySize: UInt64

    public init(fileOffset: UInt64, fileSize: UInt64, address: UInt64, memorySize: UInt64) {
        self.fileOffset = fileOffset
        self.fileSize = fileSize
        self.address = address
        self.memorySize = memorySize
    }

    /// One past its last byte. The parsers make no segment whose end doesn't fit.
    public var end: UInt64 { address + memorySize }

    /// The addresses that it takes.
    public var range: Range<UInt64> { address..<end }
}

extension UInt64 {
    /// The next multiple of a power of two, nil if that doesn't fit.
    func alignedUp(to alignment: UInt64) -> UInt64? {
        let (sum, overflow) = addingReportingOverflow(alignment - 1)
        return overflow ? nil : sum & ~(alignment - 1)
    }

    func alignedDown(to alignment: UInt64) -> UInt64 { self & ~(alignment - 1) }

    var isPowerOfTwo: Bool { nonzeroBitCount == 1 }
}
