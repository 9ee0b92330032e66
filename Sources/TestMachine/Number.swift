// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A number as people write it, in hexadecimal (0x1f), octal (0o17), binary (0b101) or decimal, with _ between digits.
public func parseNumber(_ text: some StringProtocol) -> UInt64? {
    let digits = text.lowercased().filter { $0 != "_" }
    let radixes: [(String, Int)] = [("0x", 16), ("0o", 8), ("0b", 2)]
    for (prefix, radix) in radixes where digits.hasPrefix(prefix) {
        return unsigned(digits.dropFirst(2), radix: radix)
    }
    return unsigned(digits[...], radix: 10)
}

/// Like UInt64(_:radix:), without its leading sign.
private func unsigned(_ digits: Substring, radix: Int) -> UInt64? {
    guard let first = digits.first, first != "+", first != "-" else { return nil }
    return UInt64(digits, radix: radix)
}

/// `0x1f`
public func hex(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }

/// A size as people write it: a number, or one with K, M or G behind it.
public func parseSize(_ text: String) -> UInt64? {
    let units: [Character: UInt64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
    guard let last = text.lowercased().last, let unit = units[last], !text.lowercased().hasPrefix("0x") else {
        return parseNumber(text)
    }
    guard let count = parseNumber(text.dropLast()) else { return nil }
    let size = count.multipliedReportingOverflow(by: unit)
    return size.overflow ? nil : size.partialValue
}
