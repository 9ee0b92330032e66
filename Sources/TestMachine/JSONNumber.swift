// SPDX-License-Identifier: MIT OR GPL-2.0-only
import FoundationEssentials

/// A number that JSON has as a number or as a string, "0x1f".
struct JSONNumber: Decodable {
    let value: UInt64

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(UInt64.self) {
            value = number
        } else if let text = try? container.decode(String.self), let number = parseNumber(text) {
            value = number
        } else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "not a number from 0 to 2^64 - 1, nor a string like \"0x1f\" of one")
        }
    }
}

/// Fails where an object has a key that means nothing, which is most likely a slip of the pen.
func checkKeys(_ decoder: any Decoder, known: [String]) throws {
    struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
    for key in try decoder.container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
        throw DecodingError.dataCorrupted(
            .init(
                codingPath: decoder.codingPath,
                debugDescription: "\"\(key.stringValue)\" is none of: \(known.joined(separator: " "))"))
    }
}
