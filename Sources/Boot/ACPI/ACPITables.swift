// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A board's ACPI tables, each with its address in guest memory.
///
/// The machine is hardware-reduced (ACPI 6.4, 4.1): no PM1 registers, no SCI, no ACPI timer and no 8254. Linux then
/// leaves legacy chips alone, powers off by `Layout.sleepControlPort` and resets by `Layout.resetPort`; the power button
/// is an interrupt of its own, at `Layout.powerButtonGSI`.
public struct ACPITables: Equatable, Sendable {
    /// The RSDP's address, for boot_params or the start info.
    public let rsdp: UInt64
    /// RSDP, XSDT, FADT, MADT and DSDT.
    public let contents: [Placed]

    /// From the first table's start to the last one's end.
    public var size: UInt64 { contents[contents.count - 1].range.upperBound - rsdp }

    public init(_ board: Board, at address: UInt64 = Layout.acpi) {
        rsdp = address
        var next = address + 64
        var tables: [Placed] = []
        func place(_ bytes: [UInt8]) -> UInt64 {
            let placed = Placed(bytes, at: next)
            tables.append(placed)
            next = (placed.range.upperBound + 15).alignedDown(to: 16)
            return placed.address
        }
        let dsdt = place(DSDT.bytes(for: board))
        let fadt = place(FADT.bytes(for: board, dsdt: dsdt))
        let madt = place(MADT.bytes(for: board))
        let xsdt = place(Self.xsdt([fadt, madt]))
        contents = [Placed(Self.rsdp(xsdt: xsdt), at: address)] + tables
    }

    /// ACPI 6.4, 5.2.5.3: two checksums, of the first version's 20 bytes and of all.
    private static func rsdp(xsdt: UInt64) -> [UInt8] {
        var bytes = Array("RSD PTR ".utf8)
        bytes.append(0)
        bytes += ACPITable.oem
        bytes.append(2)  // revision
        bytes.append(integer: UInt32(0))  // no RSDT
        bytes.append(integer: UInt32(36))
        bytes.append(integer: xsdt)
        bytes.append(integer: UInt32(0))  // checksum of all, and three reserved bytes
        bytes[8] = ACPITable.checksum(bytes[..<20])
        bytes[32] = ACPITable.checksum(bytes)
        return bytes
    }

    private static func xsdt(_ tables: [UInt64]) -> [UInt8] {
        ACPITable.make("XSDT", revision: 1, tables.reduce(into: []) { $0.append(integer: $1) })
    }
}
