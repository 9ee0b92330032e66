// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What a guest must do, as guests.json says; what is nil is not checked.
public struct Expectation: Equatable, Sendable {
    /// How the run ends: `Outcome.End.name`.
    public var end: String
    public var output: String?
    public var status: UInt32?
    public var registers: [Register: UInt64] = [:]
    /// Exits by their short name, `io`.
    public var exits: [String: Int] = [:]

    public init(end: String) { self.end = end }

    /// What is not as expected, a line each; empty when all is.
    public func failures(of outcome: Outcome) -> [String] {
        var failures: [String] = []
        func check(_ what: String, _ expected: String, _ found: String) {
            if expected != found { failures.append("\(what) is \(found), expected \(expected)") }
        }
        check("the end", end, outcome.end.name)
        if let output { check("the output", quoted(Array(output.utf8)), quoted(outcome.output)) }
        if let status {
            check("the status", "\(status)", outcome.status.map { "\($0)" } ?? "none (the guest didn't end with one)")
        }
        for register in Register.allCases {
            guard let expected = registers[register] else { continue }
            check(register.rawValue, hex(expected), hex(outcome.value(of: register)))
        }
        for (name, expected) in exits.sorted(by: { $0.key < $1.key }) {
            check("the number of \(name) exits", "\(expected)", "\(outcome.exitCounts[name] ?? 0)")
        }
        return failures
    }
}

/// Bytes as a quoted string, with escapes for what doesn't print.
public func quoted(_ bytes: [UInt8]) -> String {
    var text = "\""
    for byte in bytes {
        switch byte {
        case 0x0a: text += "\\n"
        case 0x0d: text += "\\r"
        case 0x09: text += "\\t"
        case UInt8(ascii: "\""): text += "\\\""
        case UInt8(ascii: "\\"): text += "\\\\"
        case 0x20...0x7e: text.unicodeScalars.append(Unicode.Scalar(byte))
        default: text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
    return text + "\""
}
