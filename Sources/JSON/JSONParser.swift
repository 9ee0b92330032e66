// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Reads JSON strictly: RFC 8259 and no more; names are unique, strings are UTF-8, nothing follows the value.
/// What it costs is bounded by the text's size, and the stack by `depthLimit`.
public struct JSONParser: Sendable {
    public static let depthLimit = 32

    let bytes: [UInt8]
    var position = 0
    private var depth = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Parameter limit: of the text's bytes.
    public static func parse(_ bytes: [UInt8], limit: Int = 1 << 20) throws(JSONError) -> JSON {
        var parser = JSONParser(bytes)
        guard bytes.count <= limit else { throw parser.error(.tooLong(limit: limit)) }
        let value = try parser.value()
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.unexpected("the end") }
        return value
    }

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    private mutating func value() throws(JSONError) -> JSON {
        skipSpace()
        switch next.map({ Unicode.Scalar($0) }) {
        case "{": return try nested { (parser) throws(JSONError) in try parser.object() }
        case "[": return try nested { (parser) throws(JSONError) in try parser.array() }
        case "\"": return .string(try string())
        case "t": return try word("true", .bool(true))
        case "f": return try word("false", .bool(false))
        case "n": return try word("null", .null)
        case .some("-"), .some("0"..."9"): return .number(try number())
        default: throw unexpected("a value")
        }
    }

    private mutating func nested(_ body: (inout JSONParser) throws(JSONError) -> JSON) throws(JSONError) -> JSON {
        guard depth < Self.depthLimit else { throw error(.tooDeep(limit: Self.depthLimit)) }
        depth += 1
        defer { depth -= 1 }
        position += 1
        return try body(&self)
    }

    private mutating func array() throws(JSONError) -> JSON {
        var values: [JSON] = []
        skipSpace()
        if take("]") { return .array(values) }
        while true {
            values.append(try value())
            skipSpace()
            if take("]") { return .array(values) }
            guard take(",") else { throw unexpected("',' or ']'") }
        }
    }

    private mutating func object() throws(JSONError) -> JSON {
        var members: [JSON.Member] = []
        var names: Set<String> = []
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw unexpected("a name in quotes") }
            let start = position
            let name = try string()
            guard names.insert(name).inserted else {
                position = start
                throw error(.nameTwice(name))
            }
            skipSpace()
            guard take(":") else { throw unexpected("':'") }
            members.append(JSON.Member(name, try value()))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw unexpected("',' or '}'") }
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        for byte in text.description.utf8 {
            guard next == byte else { throw unexpected(text.description) }
            position += 1
        }
        return value
    }

    /// RFC 8259, 6: no zero before other digits, digits on both sides of a point.
    private mutating func number() throws(JSONError) -> String {
        let start = position
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        guard position > start else { throw unexpected("a digit") }
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    func unexpected(_ wanted: String) -> JSONError { error(.unexpected(next, wanted: wanted)) }

    func error(_ problem: JSONError.Problem) -> JSONError {
        let before = bytes[..<position]
        let line = before.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
        let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return JSONError(offset: position, line: line, column: position - start + 1, problem: problem)
    }
}
