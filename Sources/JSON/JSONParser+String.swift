// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension JSONParser {
    /// RFC 8259, 7. The position is at the quote that begins it, and afterwards behind the one that ends it.
    mutating func string() throws(JSONError) -> String {
        let start = position
        position += 1
        var text: [UInt8] = []
        while true {
            guard let byte = next else { throw unexpected("'\"'") }
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                guard let string = String(validating: text, as: UTF8.self) else {
                    position = start
                    throw error(.notUTF8)
                }
                return string
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &text)
            case ..<0x20: throw unexpected("no control character in a string; write \\u00.. or \\n")
            default:
                text.append(byte)
                position += 1
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        guard let byte = next else { throw unexpected("what is escaped") }
        let plain: UInt8
        switch Unicode.Scalar(byte) {
        case "\"", "\\", "/": plain = byte
        case "b": plain = 0x08
        case "f": plain = 0x0C
        case "n": plain = 0x0A
        case "r": plain = 0x0D
        case "t": plain = 0x09
        case "u":
            position += 1
            text += String(Character(try escapedScalar())).utf8
            return
        default: throw unexpected("one of \" \\ / b f n r t u")
        }
        position += 1
        text.append(plain)
    }

    /// Behind a `\u`: four digits, and for what is beyond 16 bits another escape.
    private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
        let start = position
        let first = try fourDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // Only surrogates are no scalars.
        guard first < 0xDC00, take("\\"), take("u"), case let second = try fourDigits(), second >= 0xDC00,
            second < 0xE000,
            let scalar = Unicode.Scalar(0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else {
            position = start
            throw error(.loneSurrogate)
        }
        return scalar
    }

    private mutating func fourDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw unexpected("a hexadecimal digit")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
