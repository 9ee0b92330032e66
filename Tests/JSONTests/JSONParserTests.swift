// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import JSON

@Suite("JSON")
struct JSONParserTests {
    private func parse(_ text: String) throws(JSONError) -> JSON { try JSONParser.parse(Array(text.utf8)) }

    static let taken: [(String, JSON)] = [
        ("null", .null), (" true ", true), ("\r\n\tfalse", false), ("0", 0), ("-0", .number("-0")), ("-12", -12),
        ("1.50e+10", .number("1.50e+10")), ("0.1E-2", .number("0.1E-2")),
        ("12345678901234567890123", .number("12345678901234567890123")),
        ("\"\"", ""), ("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\u{8}\u{C}\n\r\t"),
        ("\"\\u0041\\u00e9\\uD83D\\uDE00\"", "Aé😀"),
        ("\"é😀\"", "é😀"), ("\"\\u0000\"", "\0"), ("[]", []), ("[ ]", []), ("[1 , [2] ]", [1, [2]]), ("{}", [:]),
        ("{ \"a\" : 1 , \"\" : {\"b\":null} }", ["a": 1, "": ["b": .null]]),
    ]

    @Test("values are read, and what is written is read as the same", arguments: taken)
    func values(_ text: String, _ value: JSON) throws {
        #expect(try parse(text) == value)
        #expect(try JSONParser.parse(value.bytes) == value)
    }

    static let refused: [(String, Int, Int, JSONError.Problem)] = [
        ("", 1, 1, .unexpected(nil, wanted: "a value")), ("nul", 1, 4, .unexpected(nil, wanted: "null")),
        ("01", 1, 2, .unexpected(0x31, wanted: "the end")), ("+1", 1, 1, .unexpected(0x2B, wanted: "a value")),
        ("1.", 1, 3, .unexpected(nil, wanted: "a digit")), (".5", 1, 1, .unexpected(0x2E, wanted: "a value")),
        ("1e", 1, 3, .unexpected(nil, wanted: "a digit")), ("-", 1, 2, .unexpected(nil, wanted: "a digit")),
        ("[1,]", 1, 4, .unexpected(0x5D, wanted: "a value")), ("[1 2]", 1, 4, .unexpected(0x32, wanted: "',' or ']'")),
        ("{\"a\":1,}", 1, 8, .unexpected(0x7D, wanted: "a name in quotes")),
        ("{a:1}", 1, 2, .unexpected(0x61, wanted: "a name in quotes")),
        ("{\"a\" 1}", 1, 6, .unexpected(0x31, wanted: "':'")),
        ("{\"a\":1\n\"b\":2}", 2, 1, .unexpected(0x22, wanted: "',' or '}'")),
        ("{\"a\":1,\n \"a\":2}", 2, 2, .nameTwice("a")), ("{} x", 1, 4, .unexpected(0x78, wanted: "the end")),
        ("\"a", 1, 3, .unexpected(nil, wanted: "'\"'")),
        ("\"\\x\"", 1, 3, .unexpected(0x78, wanted: "one of \" \\ / b f n r t u")),
        ("\"\\u12g4\"", 1, 6, .unexpected(0x67, wanted: "a hexadecimal digit")), ("\"\\uD83D\"", 1, 4, .loneSurrogate),
        ("\"\\uDE00\"", 1, 4, .loneSurrogate), ("\"\\uD83D\\u0041\"", 1, 4, .loneSurrogate),
        ("\u{FEFF}1", 1, 1, .unexpected(0xEF, wanted: "a value")),
        ("/**/1", 1, 1, .unexpected(0x2F, wanted: "a value")), ("NaN", 1, 1, .unexpected(0x4E, wanted: "a value")),
        ("\"\t\"", 1, 2, .unexpected(9, wanted: "no control character in a string; write \\u00.. or \\n")),
    ]

    @Test("what isn't JSON is told with its place", arguments: refused)
    func wrong(_ text: String, _ line: Int, _ column: Int, _ problem: JSONError.Problem) {
        do throws(JSONError) {
            let value = try parse(text)
            Issue.record("\(text) was taken as \(value)")
        } catch {
            #expect(error.problem == problem && error.line == line && error.column == column, "\(error)")
            #expect(error.description.hasPrefix("line \(line), column \(column): "))
        }
    }

    @Test(
        "strings are UTF-8",
        arguments: [[0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC3]] as [[UInt8]])
    func encoding(_ bytes: [UInt8]) {
        do throws(JSONError) {
            _ = try JSONParser.parse([0x22] + bytes + [0x22])
            Issue.record("\(bytes) were taken")
        } catch { #expect(error.problem == .notUTF8 && error.offset == 0) }
    }

    @Test("depth and size are bounded")
    func bounds() throws {
        let limit = JSONParser.depthLimit
        func nested(_ depth: Int) -> [UInt8] {
            [UInt8](repeating: 0x5B, count: depth) + [UInt8](repeating: 0x5D, count: depth)
        }
        #expect(throws: Never.self) { try JSONParser.parse(nested(limit)) }
        do throws(JSONError) {
            _ = try JSONParser.parse(nested(limit + 1))
            Issue.record("it was taken")
        } catch { #expect(error.problem == .tooDeep(limit: limit) && error.offset == limit) }
        #expect(throws: JSONError.self) { try JSONParser.parse([UInt8](repeating: 0x5B, count: 1 << 20)) }
        #expect(throws: JSONError.self) { try JSONParser.parse([0x31, 0x31], limit: 1) }
    }

    @Test("whole numbers are read if they fit")
    func integers() throws {
        #expect(try parse("255").integer(as: UInt8.self) == 255 && parse("256").integer(as: UInt8.self) == nil)
        #expect(try parse("18446744073709551615").integer(as: UInt64.self) == .max)
        #expect(try parse("-1").integer(as: UInt64.self) == nil && parse("1.0").integer(as: Int.self) == nil)
        #expect(try parse("\"1\"").integer(as: Int.self) == nil)
    }

    @Test("control characters and quotes are written as escapes")
    func escapes() {
        #expect(JSON.string("a\"\\\n\u{1}\u{7F}é").bytes == Array(#""a\"\\\n\u0001\u007fé""#.utf8))
        #expect((["a": [1, "b", .null], "c": true] as JSON).bytes == Array(#"{"a":[1,"b",null],"c":true}"#.utf8))
    }
}
