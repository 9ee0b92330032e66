// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Where a text stops being JSON, and why.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Problem: Equatable, Sendable {
        /// Something else was wanted than the byte that is there, or than the end (nil).
        case unexpected(UInt8?, wanted: String)
        case tooLong(limit: Int)
        case tooDeep(limit: Int)
        case notUTF8
        /// Half of a pair that stands for one character.
        case loneSurrogate
        case nameTwice(String)
    }

    /// Bytes before the place.
    public let offset: Int
    /// Counted from 1; a column is a byte.
    public let line: Int
    public let column: Int
    public let problem: Problem

    public var description: String { "line \(line), column \(column): \(problemText)" }

    private var problemText: String {
        switch problem {
        case .unexpected(let byte, let wanted): "\(Self.name(byte)) where \(wanted) is wanted"
        case .tooLong(let limit): "the text is longer than \(limit) bytes"
        case .tooDeep(let limit): "more than \(limit) arrays and objects are within each other"
        case .notUTF8: "a string that is not UTF-8"
        case .loneSurrogate: "half of a pair of \\u escapes, without its other half"
        case .nameTwice(let name): "the name \"\(name)\" for a second time in one object"
        }
    }

    private static func name(_ byte: UInt8?) -> String {
        guard let byte else { return "the end" }
        return byte > 0x20 && byte < 0x7F ? "'\(Unicode.Scalar(byte))'" : "the byte 0x\(String(byte, radix: 16))"
    }
}
