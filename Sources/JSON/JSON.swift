// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A JSON value. RFC 8259.
public enum JSON: Equatable, Sendable {
    case null
    case bool(Bool)
    /// As it was written, so that it can be given back exactly; `integer` and `unsigned` read it.
    case number(String)
    case string(String)
    case array([JSON])
    /// In the order in which they were written; no name twice.
    case object([Member])

    public struct Member: Equatable, Sendable {
        public let name: String
        public let value: JSON

        public init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }
}

extension JSON {
    /// A whole number without fraction or exponent, nil for anything else and for what doesn't fit.
    public func integer<T: FixedWidthInteger>(as type: T.Type = T.self) -> T? {
        if case .number(let text) = self { T(text) } else { nil }
    }

    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    public var array: [JSON]? {
        if case .array(let values) = self { values } else { nil }
    }

    public var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// An object's member, nil if it has none of that name or is no object.
    public subscript(_ name: String) -> JSON? { members?.first { $0.name == name }?.value }

    /// What it is, for messages.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .number(String(value)) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(elements.map(Member.init)) }
    public init(_ value: some FixedWidthInteger) { self = .number(String(value)) }
}
