// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A line of a table that can't be read, said as compilers do: `file:line: error: what`.
public struct TableError: Error, Equatable, CustomStringConvertible {
    public let file: String
    public let line: Int
    public let message: String

    public var description: String { "\(file):\(line): error: \(message)" }
}
