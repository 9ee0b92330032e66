// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestMachine
import Testing

@Suite("Numbers as people write them")
struct NumberTests {
    @Test(
        arguments: [
            ("0", 0), ("42", 42), ("0x1F", 31), ("0b101", 5), ("0o17", 15), ("1_000", 1000),
            ("0xffff_ffff_ffff_ffff", UInt64.max),
        ] as [(String, UInt64)])
    func good(_ text: String, _ value: UInt64) { #expect(parseNumber(text) == value) }

    @Test(arguments: ["", "0x", "x", "-1", "+1", "0x-1", "0x+1", "1.5", "0xg", "18446744073709551616", " 1", "1K"])
    func bad(_ text: String) { #expect(parseNumber(text) == nil) }

    @Test(
        arguments: [("64K", 65536), ("1m", 1 << 20), ("2G", 2 << 30), ("0x1000", 4096), ("4096", 4096), ("0x1B", 27)]
            as [(String, UInt64)])
    func sizes(_ text: String, _ value: UInt64) { #expect(parseSize(text) == value) }

    @Test(arguments: ["K", "", "99999999999999999999K", "17179869184G"])
    func badSizes(_ text: String) { #expect(parseSize(text) == nil) }

    @Test func group() {
        #expect(grouped(0) == "0")
        #expect(grouped(999) == "999")
        #expect(grouped(1000) == "1,000")
        #expect(grouped(1_234_567) == "1,234,567")
    }

    @Test func fixedPoint() {
        #expect(fixed(0.996) == "1.00")
        #expect(fixed(1234.5) == "1,234.50")
        #expect(fixed(0.05) == "0.05")
        #expect(fixed(.infinity) == "-")
    }
}
