// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

/// Why a machine can't be made or can't go on: what, which value, and what to do.
public struct VMMError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }

    /// A call of the system's that failed.
    init(_ call: String, errno number: Int32, _ advice: String? = nil) {
        let text = unsafe String(cString: strerror(number))
        description = "\(call): \(text)" + (advice.map { ": \($0)" } ?? "")
    }
}
