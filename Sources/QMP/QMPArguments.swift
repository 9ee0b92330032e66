// SPDX-License-Identifier: MIT OR GPL-2.0-only
import JSON

/// A command's arguments, taken one by one: what is left in the end was not expected.
struct QMPArguments {
    private var members: [JSON.Member]
    /// In front of a name in messages: `file.` within that object.
    private let prefix: String

    init(_ members: [JSON.Member], prefix: String = "") {
        self.members = members
        self.prefix = prefix
    }

    private mutating func take(_ name: String) -> JSON? {
        guard let index = members.firstIndex(where: { $0.name == name }) else { return nil }
        return members.remove(at: index).value
    }

    private func wrong(_ name: String, _ value: JSON?, _ wanted: String) -> QMPError {
        guard let value else { return QMPError("argument '\(prefix)\(name)' is missing: \(wanted)") }
        return QMPError("argument '\(prefix)\(name)' is \(value.kind), wanted: \(wanted)")
    }

    mutating func string(_ name: String) throws(QMPError) -> String {
        guard let text = try optionalString(name) else { throw wrong(name, nil, "a string") }
        return text
    }

    mutating func optionalString(_ name: String) throws(QMPError) -> String? {
        guard let value = take(name) else { return nil }
        guard let text = value.string else { throw wrong(name, value, "a string") }
        return text
    }

    mutating func optionalBool(_ name: String) throws(QMPError) -> Bool? {
        guard let value = take(name) else { return nil }
        guard let bool = value.bool else { throw wrong(name, value, "true or false") }
        return bool
    }

    mutating func unsigned(_ name: String) throws(QMPError) -> UInt64 {
        guard let number = try optionalUnsigned(name) else { throw wrong(name, nil, Self.unsigned) }
        return number
    }

    mutating func optionalUnsigned(_ name: String) throws(QMPError) -> UInt64? {
        guard let value = take(name) else { return nil }
        guard let number = value.integer(as: UInt64.self) else { throw wrong(name, value, Self.unsigned) }
        return number
    }

    private static let unsigned = "a whole number from 0 to 2^64 - 1"

    mutating func object(_ name: String) throws(QMPError) -> QMPArguments {
        let value = take(name)
        guard let members = value?.members else { throw wrong(name, value, "an object") }
        return QMPArguments(members, prefix: "\(prefix)\(name).")
    }

    mutating func rest() -> [JSON.Member] {
        defer { members = [] }
        return members
    }

    func finish() throws(QMPError) {
        if let first = members.first {
            throw QMPError("argument '\(prefix)\(first.name)' is not one of this command's")
        }
    }
}
