// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Boot

/// What an independent reader says of the tables, test_misc/boot/judge asks.
@Suite("ACPI tables")
struct ACPITests {
    static let board: Board = {
        var board = Board(
            apicIDs: [0, 2, 254, 255, 300],
            virtio: [
                .init(address: 0xD000_0000, gsi: 5, trigger: .edge),
                .init(address: 0xD000_1000, gsi: 23, trigger: .level),
            ])
        board.hasKeyboardController = true
        return board
    }()

    private func table(_ signature: String, _ board: Board = board) throws -> [UInt8] {
        try #require(ACPITables(board).contents.first { $0.bytes.starts(with: Array(signature.utf8)) }).bytes
    }

    @Test("add up to zero, know their sizes and point to each other")
    func chain() throws {
        let tables = ACPITables(Self.board)
        let byAddress = Dictionary(uniqueKeysWithValues: tables.contents.map { ($0.address, $0.bytes) })
        func follow(_ from: [UInt8], _ offset: UInt64) throws -> [UInt8] {
            let address: UInt64 = try #require(from.field(offset))
            return try #require(byAddress[address])
        }
        let rsdp = try #require(byAddress[tables.rsdp])
        #expect(rsdp[..<20].reduce(0, &+) == 0 && rsdp.reduce(0, &+) == 0 && rsdp.count == 36 && tables.rsdp % 16 == 0)
        let xsdt = try follow(rsdp, 24)
        let fadt = try follow(xsdt, 36)
        let dsdt = try follow(fadt, 140)
        let madt = try follow(xsdt, 44)
        #expect(
            [xsdt, fadt, dsdt, madt].map { String(decoding: $0[..<4], as: UTF8.self) } == [
                "XSDT", "FACP", "DSDT", "APIC",
            ])
        for table in [xsdt, fadt, dsdt, madt] {
            #expect(table.reduce(0, &+) == 0)
            #expect(table.field(4, UInt32.self) == UInt32(table.count))
        }
        #expect(tables.contents.count == 5 && xsdt.count == 52)
    }

    @Test("name ports to power off and to reset, on reduced hardware")
    func fadt() throws {
        let bytes = try table("FACP")
        func port(_ offset: UInt64) -> (UInt32?, UInt64?) { (bytes.field(offset), bytes.field(offset + 4)) }
        #expect(
            port(116) == (0x0100_0801, 0x602) && port(244) == (0x0100_0801, 0x600) && port(256) == (0x0100_0801, 0x601))
        let flags: UInt32 = try #require(bytes.field(112))
        #expect(flags >> 20 & 1 == 1 && flags >> 10 & 1 == 1 && bytes[128] == Layout.resetValue && bytes.count == 276)
        #expect(bytes[109] == 0b111)
        var bare = Board(processors: 1)
        bare.hasSerial = false
        bare.hasRTC = false
        #expect(try table("FACP", bare)[109] == 0b10_0100)
        #expect(Layout.powerOff == 0x34)
    }

    @Test("list each processor, by the entry that its ID fits, and the IOAPIC")
    func madt() throws {
        let bytes = try table("APIC")
        var entries: [[UInt8]] = []
        var at = 44
        while at < bytes.count {
            entries.append(Array(bytes[at..<at + Int(bytes[at + 1])]))
            at += Int(bytes[at + 1])
        }
        #expect(
            entries.filter { $0[0] == 0 } == [
                [0, 8, 0, 0, 1, 0, 0, 0], [0, 8, 1, 2, 1, 0, 0, 0], [0, 8, 2, 254, 1, 0, 0, 0],
            ])
        #expect(
            entries.filter { $0[0] == 9 } == [
                [9, 16, 0, 0, 255, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0],
                [9, 16, 0, 0, 44, 1, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0],
            ])
        #expect(entries.filter { $0[0] == 1 } == [[1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0]])
        #expect(bytes.field(36, UInt32.self) == 0xFEE0_0000 && bytes[40] == 0)
    }

    static let sizes: [(Int, [UInt8])] = [
        (0, [1]), (62, [63]), (63, [0x41, 4]), (4093, [0x4F, 0xFF]), (4094, [0x81, 0, 1]),
        (0xF_FFFC, [0x8F, 0xFF, 0xFF]),
        (0xF_FFFD, [0xC1, 0, 0, 1]), ((1 << 28) - 5, [0xCF, 0xFF, 0xFF, 0xFF]),
    ]

    @Test("AML's lengths take the fewest bytes and count themselves", arguments: sizes)
    func lengths(_ size: Int, _ expected: [UInt8]) { #expect(AML.packageLength(of: size) == expected) }

    @Test("AML's names and numbers")
    func names() {
        #expect(AML.name("\\_SB") == Array("\\_SB_".utf8) && AML.name("A.BCDE") == [0x2E] + Array("A___BCDE".utf8))
        #expect(AML.name("\\A.B.C") == [0x5C, 0x2F, 3] + Array("A___B___C___".utf8))
        #expect(AML.eisaID("PNP0501") == [0x0C, 0x41, 0xD0, 0x05, 0x01])
        #expect(AML.integer(1) == [1] && AML.integer(255) == [0x0A, 255] && AML.integer(256) == [0x0B, 0, 1])
        #expect(AML.integer(1 << 32) == [0x0E, 0, 0, 0, 0, 1, 0, 0, 0] && AML.integer(0x1_0000) == [0x0C, 0, 0, 1, 0])
    }
}
