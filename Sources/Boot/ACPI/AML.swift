// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Writes ACPI Machine Language, as much of it as a DSDT of plain devices needs. ACPI 6.4, 20.2.
enum AML {
    // MARK: Names

    /// `\_SB`, `COM1`, `\_SB.PWRB`: segments of four characters at most, each filled up with underscores.
    static func name(_ path: String) -> [UInt8] {
        let isAbsolute = path.utf8.first == UInt8(ascii: "\\")
        let segments = path.utf8.dropFirst(isAbsolute ? 1 : 0).split(separator: UInt8(ascii: "."))
        var bytes: [UInt8] = isAbsolute ? [UInt8(ascii: "\\")] : []
        switch segments.count {
        case 1: break
        case 2: bytes.append(0x2E)
        default: bytes += [0x2F, UInt8(segments.count)]
        }
        for segment in segments {
            precondition(segment.count <= 4, "\(path) has a segment of more than four characters")
            bytes += segment + [UInt8](repeating: UInt8(ascii: "_"), count: 4 - segment.count)
        }
        return bytes
    }

    // MARK: Data

    static func integer(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        switch value {
        case 0, 1: bytes.append(UInt8(value))
        case ...0xFF: bytes += [0x0A, UInt8(value)]
        case ...0xFFFF:
            bytes.append(0x0B)
            bytes.append(integer: UInt16(value))
        case ...0xFFFF_FFFF:
            bytes.append(0x0C)
            bytes.append(integer: UInt32(value))
        default:
            bytes.append(0x0E)
            bytes.append(integer: value)
        }
        return bytes
    }

    static func string(_ text: String) -> [UInt8] { [0x0D] + text.utf8 + [0] }

    static func buffer(_ bytes: [UInt8]) -> [UInt8] { [0x11] + sized(integer(UInt64(bytes.count)) + bytes) }

    static func package(_ elements: [[UInt8]]) -> [UInt8] {
        [0x12] + sized([UInt8(elements.count)] + elements.joined())
    }

    /// `PNP0501` as the number that stands for it: three letters of five bits, four hexadecimal digits. ACPI 6.4, 19.3.4.
    static func eisaID(_ text: String) -> [UInt8] {
        let characters = Array(text.utf8)
        precondition(characters.count == 7, "\(text) is no EISA ID")
        var value: UInt32 = 0
        for letter in characters[..<3] { value = value << 5 | UInt32(letter - 0x40) }
        for digit in characters[3...] {
            value = value << 4 | UInt32(Character(Unicode.Scalar(digit)).hexDigitValue ?? 0)
        }
        return integer(UInt64(value.byteSwapped))
    }

    // MARK: Objects

    static func define(_ path: String, _ value: [UInt8]) -> [UInt8] { [0x08] + name(path) + value }

    static func scope(_ path: String, _ body: [[UInt8]]) -> [UInt8] { [0x10] + sized(name(path) + body.joined()) }

    static func device(_ path: String, _ body: [[UInt8]]) -> [UInt8] {
        [0x5B, 0x82] + sized(name(path) + body.joined())
    }

    static func method(_ path: String, arguments: UInt8, _ body: [[UInt8]]) -> [UInt8] {
        [0x14] + sized(name(path) + [arguments] + body.joined())
    }

    // MARK: Statements

    static let argument0: [UInt8] = [0x68]

    static func notify(_ path: String, _ value: UInt64) -> [UInt8] { [0x86] + name(path) + integer(value) }

    static func ifEqual(_ left: [UInt8], _ right: [UInt8], _ body: [[UInt8]]) -> [UInt8] {
        [0xA0] + sized([0x93] + left + right + body.joined())
    }

    private static func sized(_ body: [UInt8]) -> [UInt8] { packageLength(of: body.count) + body }

    /// PkgLength: how many bytes follow an opcode, its own included; one byte for up to 63, else a byte that has the
    /// lowest four bits and up to three more. ACPI 6.4, 20.2.4.
    static func packageLength(of count: Int) -> [UInt8] {
        if count + 1 < 0x40 { return [UInt8(count + 1)] }
        let more = count + 2 < 1 << 12 ? 1 : count + 3 < 1 << 20 ? 2 : 3
        let length = count + 1 + more
        precondition(length < 1 << 28, "an AML package of \(length) bytes")
        return [UInt8(more << 6 | length & 0xF)] + (0..<more).map { UInt8(truncatingIfNeeded: length >> (4 + 8 * $0)) }
    }
}
