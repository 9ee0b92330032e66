// SPDX-License-Identifier: MIT OR GPL-2.0-only
import JSON

/// An object of a configuration, whose members are taken one by one; what nobody took is an error that lists what there is.
struct ConfigReader {
    private var members: [JSON.Member]
    private let path: String
    private var known: [String] = []

    init(_ value: JSON, path: String) throws(ConfigError) {
        guard let members = value.members else { throw .value(path: path, found: value.kind, wanted: "an object") }
        self.members = members
        self.path = path
    }

    private func path(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    mutating func take(_ name: String) -> JSON? {
        known.append(name)
        guard let index = members.firstIndex(where: { $0.name == name }) else { return nil }
        return members.remove(at: index).value
    }

    /// Takes a member if it is there, and says what it should have been if it isn't that.
    mutating func optional<T>(_ name: String, _ wanted: String, _ read: (JSON) -> T?) throws(ConfigError) -> T? {
        guard let value = take(name) else { return nil }
        guard let result = read(value) else {
            throw .value(path: path(name), found: Self.show(value), wanted: wanted)
        }
        return result
    }

    mutating func required<T>(_ name: String, _ wanted: String, _ read: (JSON) -> T?) throws(ConfigError) -> T {
        guard let result = try optional(name, wanted, read) else { throw .missing(path: path(name), wanted: wanted) }
        return result
    }

    /// An object within.
    mutating func object<T>(
        _ name: String, _ read: (inout ConfigReader) throws(ConfigError) -> T
    ) throws(ConfigError) -> T? {
        guard let value = take(name) else { return nil }
        return try Self.read(value, path(name), read)
    }

    /// An array of objects within.
    mutating func objects<T>(
        _ name: String, _ read: (inout ConfigReader) throws(ConfigError) -> T
    ) throws(ConfigError) -> [T] {
        guard let value = take(name) else { return [] }
        guard let values = value.array else {
            throw .value(path: path(name), found: value.kind, wanted: "an array of objects")
        }
        var result: [T] = []
        for (index, value) in values.enumerated() {
            result.append(try Self.read(value, "\(path(name))[\(index)]", read))
        }
        return result
    }

    static func read<T>(
        _ value: JSON, _ path: String, _ body: (inout ConfigReader) throws(ConfigError) -> T
    ) throws(ConfigError) -> T {
        var reader = try ConfigReader(value, path: path)
        let result = try body(&reader)
        if let first = reader.members.first {
            throw .unknown(path: reader.path(first.name), known: reader.known)
        }
        return result
    }

    /// For messages: short values as they are.
    private static func show(_ value: JSON) -> String {
        switch value {
        case .string(let text) where text.utf8.count <= 64: "\"\(text)\""
        case .number(let text) where text.utf8.count <= 64: text
        case .bool(let value): value ? "true" : "false"
        default: value.kind
        }
    }
}
