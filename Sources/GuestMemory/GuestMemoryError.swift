// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Why guest memory could not be reached, or not be put together.
public enum GuestMemoryError: Error, Equatable, CustomStringConvertible {
    /// The bytes are not all in one region.
    case outside(gpa: UInt64, count: Int)
    /// An access that must be one of the processor's is not at a multiple of its width.
    case misaligned(gpa: UInt64, width: Int)
    /// A region of no bytes, or one that ends beyond the last address there is.
    case badRegion(gpa: UInt64, count: UInt64)
    /// Two regions have an address in common.
    case overlap(gpa: UInt64, other: UInt64)
    /// The system did not give pages back: madvise(2)'s errno.
    case discard(gpa: UInt64, count: Int, errno: Int32)

    public var description: String {
        switch self {
        case .outside(let gpa, let count):
            "\(hex(gpa)): \(count) bytes from there on are not in one region of guest memory"
        case .misaligned(let gpa, let width):
            "\(hex(gpa)): an access of \(width) bytes must be at a multiple of \(width)"
        case .badRegion(let gpa, let count):
            "\(hex(gpa)): a region of \(count) bytes is empty or ends beyond the last address"
        case .overlap(let gpa, let other):
            "\(hex(gpa)): the region overlaps with the one from \(hex(other)) on"
        case .discard(let gpa, let count, let errno):
            "\(hex(gpa)): \(count) bytes could not be given back to the host (errno \(errno))"
        }
    }

    private func hex(_ number: UInt64) -> String { "guest address 0x\(String(number, radix: 16))" }
}
