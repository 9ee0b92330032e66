// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What is wrong with a file that should be a kernel: where it was looked at, what is there, and what would be right.
public struct ImageError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What the file was read as.
    public enum Format: String, Sendable {
        case unknown = "kernel image"
        case bzImage = "bzImage"
        case elf = "ELF kernel"
    }

    public enum Problem: Equatable, Sendable {
        /// The file ends before `what`, which would end at byte `end`.
        case tooShort(what: String, end: UInt64, size: UInt64)
        /// A field of the file has a value that can't be, or that is of no use here.
        case field(String, value: UInt64, wanted: String)
        /// The file lacks something, told in a sentence.
        case lacks(String)
    }

    public let format: Format
    public let problem: Problem

    init(_ format: Format, _ problem: Problem) {
        self.format = format
        self.problem = problem
    }

    static func field(_ format: Format, _ name: String, _ value: some BinaryInteger, _ wanted: String) -> ImageError {
        ImageError(format, .field(name, value: UInt64(truncatingIfNeeded: value), wanted: wanted))
    }

    /// `bzImage: version is 0x209, wanted: 0x20c or later, ...`
    public var description: String {
        switch problem {
        case .tooShort(let what, let end, let size):
            "\(format.rawValue): the file has \(size) bytes, but \(what) ends at byte \(end): it is cut off, or no kernel"
        case .field(let name, let value, let wanted):
            "\(format.rawValue): \(name) is 0x\(String(value, radix: 16)), wanted: \(wanted)"
        case .lacks(let what): "\(format.rawValue): \(what)"
        }
    }
}
