// SPDX-License-Identifier: MIT OR GPL-2.0-only
import JSON

/// A reply that says a command failed.
public struct QMPError: Error, Equatable, Sendable {
    /// The classes that QMP has; clients tell errors apart by them, and show the text.
    public enum Class: String, Sendable {
        case generic = "GenericError"
        case commandNotFound = "CommandNotFound"
        case deviceNotFound = "DeviceNotFound"
        case deviceNotActive = "DeviceNotActive"
    }

    public let kind: Class
    public let text: String

    public init(_ kind: Class, _ text: String) {
        self.kind = kind
        self.text = text
    }

    public init(_ text: String) { self.init(.generic, text) }

    var json: JSON { ["class": .string(kind.rawValue), "desc": .string(text)] }
}
