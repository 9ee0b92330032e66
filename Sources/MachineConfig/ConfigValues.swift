// SPDX-License-Identifier: MIT OR GPL-2.0-only
import JSON

/// Readers of single values: nil for what isn't one.
extension MachineConfig {
    static func text(_ value: JSON) -> String? {
        guard let text = value.string, !text.utf8.contains(0) else { return nil }
        return text
    }

    /// PATH_MAX is 4096 with the zero at its end.
    static func path(_ value: JSON) -> String? {
        guard let text = text(value), !text.isEmpty, text.utf8.count <= 4095 else { return nil }
        return text
    }

    static func identifier(_ value: JSON) -> String? { value.string.flatMap { isIdentifier($0) ? $0 : nil } }

    /// What an id may be: 1 to 64 letters, digits, '-', '_' and '.'.
    public static func isIdentifier(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64 && text.utf8.allSatisfy(isInIdentifier)
    }

    private static func isInIdentifier(_ byte: UInt8) -> Bool {
        switch Unicode.Scalar(byte) {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".": true
        default: false
        }
    }

    static func number<T: FixedWidthInteger>(_ range: ClosedRange<T>) -> (JSON) -> T? {
        { value in
            guard let number = value.integer(as: T.self), range.contains(number) else { return nil }
            return number
        }
    }

    static func memory(_ value: JSON) -> UInt64? {
        let size = value.string.map { Self.size($0) } ?? value.integer(as: UInt64.self)
        guard let size, size >= smallestMemory, size <= largestMemory, size & 0xFFF == 0 else { return nil }
        return size
    }

    /// `512M`: a number with K, M, G or T behind it, or bytes. Also what the command's option takes.
    public static func size(_ text: String) -> UInt64? {
        let shifts: [Character: UInt64] = ["K": 10, "M": 20, "G": 30, "T": 40]
        guard let last = text.last else { return nil }
        let shift = shifts[last]
        let digits = shift == nil ? text[...] : text.dropLast()
        // Only digits: UInt64 would take a sign.
        guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = UInt64(digits) else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
        return overflow ? nil : product
    }

    /// Of one station: bit 0 of the first byte would make it a group's.
    static func mac(_ value: JSON) -> [UInt8]? {
        guard let text = value.string, text.utf8.count == 17 else { return nil }
        let pairs = text.split(separator: ":", omittingEmptySubsequences: false)
        guard pairs.count == 6, pairs.allSatisfy({ $0.utf8.count == 2 && $0.allSatisfy(\.isHexDigit) }) else {
            return nil
        }
        let bytes = pairs.compactMap { UInt8($0, radix: 16) }
        guard bytes.count == 6, bytes[0] & 1 == 0, bytes.contains(where: { $0 != 0 }) else { return nil }
        return bytes
    }
}
